"""The poller as people run it, against a console that takes its time."""

from __future__ import annotations

from collections.abc import Sequence

from bench.pages import RECORDS, TABLES
from bench.poller import Bench, Polled, console
from bench.report import Goal, Row, compare
from bench.rounds import BenchError, rounds

ROUNDS = 5
PAGES = 20
LATENCY = 0.1
CHAIN = PAGES * LATENCY
"""Seconds that nobody can save: each page names the next."""


def run() -> list[Row]:
    """Measure five tables in parallel, and two alone: one that is much work, one that is none."""
    with console(PAGES, LATENCY) as bench:
        _run(bench, TABLES)
        contenders = {
            "five tables": lambda: _run(bench, TABLES),
            "agents alone": lambda: _run(bench, ["agents"]),
            "groups alone": lambda: _run(bench, ["groups"]),
            "five tables, default settle": lambda: _run(bench, TABLES, None),
        }
        found = rounds(contenders, ROUNDS)
    goals = {"five tables": Goal(1.6)}
    rows = [_row(what, runs, goals.get(what)) for what, runs in found.items()]
    return rows + _details(found["five tables"])


def _run(bench: Bench, tables: Sequence[str], settle: str | None = "0s") -> Polled:
    polled = bench.run(tables, settle)
    wanted = dict.fromkeys(tables, PAGES)
    if polled.account.requests != wanted or polled.rows != len(tables) * PAGES * RECORDS:
        raise BenchError(f"{polled.rows} rows after {polled.account.requests}")
    return polled


def _row(what: str, runs: list[Polled], goal: Goal | None) -> Row:
    walls = [one.used.wall for one in runs]
    latency = (f"{PAGES} x {1000 * LATENCY:.0f} ms", [CHAIN] * len(runs))
    return compare("end-to-end", f"{what}, {PAGES} pages each", walls, latency, goal)


def _details(runs: list[Polled]) -> list[Row]:
    """Where the time of the five tables goes."""
    walls = [one.used.wall for one in runs]
    parts = {
        "of it CPU": [one.used.cpu for one in runs],
        "of it until the first request": [one.reached for one in runs],
        "the console's CPU": [one.account.cpu for one in runs],
        "the console's slowest answer": [one.account.served for one in runs],
    }
    return [
        compare("end-to-end", f"  {what}", series, ("wall time", walls))
        for what, series in parts.items()
    ]
