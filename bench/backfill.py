"""A backfill in parallel windows, against a console that takes its time."""

from __future__ import annotations

from bench.pages import RECORDS
from bench.poller import Polled, console
from bench.report import Goal, Row, compare, measured
from bench.rounds import BenchError

PAGES = 200
PARALLEL = 8
RATE, BURST = 10.0, 30
"""Requests a second for activities, and how many may come at once, as published."""
LATENCIES = (0.1, 0.5)
"""At the first the published rate is the limit, at the second the console's answers are."""
_SPAN = ("--since", "2026-11-01T00:00:00Z", "--until", "2026-11-02T00:00:00Z")


def run() -> list[Row]:
    """Measure each latency once, one window at a time and several."""
    return [row for latency in LATENCIES for row in _rows(latency)]


def _rows(latency: float) -> list[Row]:
    one, many = (_backfill(latency, parallel) for parallel in (1, PARALLEL))
    least = (many.account.requests["activities"] - BURST) / RATE
    what = f"activities, {PAGES} pages at {1000 * latency:.0f} ms"
    walls = [many.used.wall]
    peak, other_peak = f"{many.used.peak:.1f} MiB", f"--parallel 1 {one.used.peak:.1f} MiB"
    goal = Goal(0.2) if latency > LATENCIES[0] else None
    return [
        compare(
            "backfill",
            f"{what}, --parallel {PARALLEL}",
            walls,
            ("--parallel 1", [one.used.wall]),
            goal,
        ),
        compare("backfill", "  the published rate", walls, ("allows", [least])),
        measured(
            "backfill", "  peak memory", peak, many.used.peak, Goal(120, " MiB"), theirs=other_peak
        ),
    ]


def _backfill(latency: float, parallel: int) -> Polled:
    """One backfill, all rows of which must have been handed over once, within the rate."""
    with console(PAGES, latency) as bench:
        command = ("backfill", *_SPAN, "--parallel", str(parallel))
        polled = bench.run(["activities"], command=command)
    account = polled.account
    allowed = BURST + RATE * (account.last - account.first)
    if polled.rows != PAGES * RECORDS or account.requests["activities"] > allowed + 1:
        raise BenchError(f"{polled.rows} rows after {account.requests}, {allowed:.0f} allowed")
    return polled
