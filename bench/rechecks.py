"""What late records cost: fetched records for each new one over a day, and CPU for each new row."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog

from bench.report import Goal, Row, compare
from bench.tenant import LATENCY, Poller, Tenant, poller
from sentinelone_source.feed.plan import Plan
from sentinelone_source.feed.state.schema import STATE_FILE
from sentinelone_source.times import SECOND

DAY = 86_400.0
HOUR = 3600.0
TENANT = {"activities": 2.0, "agents": 20_000 / (6 * HOUR)}
"""Records a second of 20,000 agents, each of which changes every six hours."""
STREAM = 300.0
"""Records a second, at a tenth of the time scale: interval, look-back and latency."""
SCALE = 0.1
READ_AGAIN = 120
"""Sweeps of the stream that are measured."""
LOOKBACKS = {600.0: (Goal(3.2), Goal(1.8)), DAY: (Goal(5.3), Goal(2.5))}
"""With the goals for fetched records, and for CPU."""


def run() -> list[Row]:
    """A day at several intervals, also with an outage; then a stream, against one reading."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    days = [
        _day(table, lookback, interval, outage)
        for table, lookback in (("agents", 600.0), ("activities", DAY))
        for interval, outage in ((60.0, 0.0), (30.0, 0.0), (60.0, HOUR))
    ]
    return days + [row for lookback in LOOKBACKS for row in _stream(lookback)]


def _plan(lookback: float, interval: float, start_back: float) -> Plan:
    micros = [round(seconds * SECOND) for seconds in (lookback, interval, start_back)]
    return Plan(lookback=micros[0], overlap=micros[1], start_back=micros[2], remember=micros[0])


def _day(table: str, lookback: float, interval: float, outage: float) -> Row:
    """A day in the life of a feed that has run for a day."""
    tenant = Tenant(table, TENANT[table])
    with poller(tenant, _plan(lookback, interval, lookback)) as one:
        asyncio.run(_lives(one, tenant, outage))
        counts = one.feed.counts
    ratio = counts.fetched / counts.rows
    goal = LOOKBACKS[lookback][0]
    words = f"{table}, look-back {_hours(lookback)}, every {interval:.0f} s"
    words += ", an hour's outage" if outage else ""
    found = f"{counts.fetched:,} records", f"{counts.rows:,} rows", f"{ratio:.2f}x"
    return Row("rechecks", words, *found, str(goal), goal.verdict(ratio))


async def _lives(one: Poller, tenant: Tenant, outage: float) -> None:
    await one.feed.sweep()
    one.restart()  # its counts begin at 0
    await one.live((DAY - outage) / 2)
    before = one.feed.counts.copy()
    if outage:
        tenant.now += round(outage * SECOND)
        one.restart()
        one.feed.counts.add(before)
    await one.live((DAY - outage) / 2)


def _hours(seconds: float) -> str:
    return f"{seconds / HOUR:g} h" if seconds >= HOUR else f"{seconds / 60:g} min"


def _stream(lookback: float) -> list[Row]:
    """CPU for each new row of a stream, against that of its first reading."""
    tenant = Tenant("activities", STREAM, latency=round(SCALE * LATENCY), compressed=True)
    span, interval = SCALE * lookback, SCALE * 60.0
    with poller(tenant, _plan(span, interval, max(span, SCALE * HOUR))) as one:
        once = _cpu_a_row(one, tenant, one.feed.sweep())
        size = Path(one.state.folder, STATE_FILE).stat().st_size / one.feed.counts.rows
        one.restart()
        again = _cpu_a_row(one, tenant, one.live(READ_AGAIN * interval))
    words = f"look-back {_hours(lookback)}: CPU for 1000 new rows"
    goal = LOOKBACKS[lookback][1]
    cpu = compare("rechecks", words, [again], ("one reading", [once]), goal)
    kept = Goal(40, " B")
    return [
        cpu,
        Row(
            "rechecks",
            "  state, a remembered row",
            f"{size:.1f} B",
            goal=str(kept),
            verdict=kept.verdict(size),
        ),
    ]


def _cpu_a_row(one: Poller, tenant: Tenant, reading: Coroutine[Any, Any, None]) -> float:
    """CPU seconds for 1000 new rows, without the tenant's own."""
    gc.collect()
    began, others = time.process_time(), tenant.cpu
    asyncio.run(reading)
    used = time.process_time() - began - (tenant.cpu - others)
    return 1000 * used / one.feed.counts.rows
