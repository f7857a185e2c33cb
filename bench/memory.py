"""Peak memory of long sweeps."""

from __future__ import annotations

from collections.abc import Sequence

from bench.pages import RECORDS, TABLES
from bench.poller import console
from bench.report import Goal, Row, measured
from bench.rounds import BenchError

_RUNS: tuple[tuple[int, Sequence[str], Goal | None], ...] = (
    (200, ("agents",), None),
    (1000, ("agents",), Goal(60, " MiB")),
    (200, TABLES, Goal(85, " MiB")),
)


def run() -> list[Row]:
    """Measure each sweep once: peaks hardly differ from run to run."""
    return [_row(pages, tables, goal) for pages, tables, goal in _RUNS]


def _row(pages: int, tables: Sequence[str], goal: Goal | None) -> Row:
    with console(pages) as bench:
        polled = bench.run(tables)
    wanted = pages * RECORDS * len(tables)
    if polled.rows != wanted:
        raise BenchError(f"{polled.rows} rows of {wanted}")
    peak, used = polled.used.peak, polled.used
    what = f"{', '.join(tables)}: {pages * RECORDS:,} records each"
    speed = f"{wanted / used.wall:,.0f} rows/s, {wanted / used.cpu:,.0f} a CPU second"
    return measured("memory", what, f"{peak:.1f} MiB", peak, goal, theirs=speed)
