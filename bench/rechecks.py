"""What late records cost: fetched records for each new one over a day, and CPU for each new row."""

from __future__ import annotations

import asyncio
import gc
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from bench.report import Goal, Row, compare, measured
from bench.rounds import rounds
from bench.tenant import LATENCY, Poller, SteadyTenant, poller
from sentinelone_source.feed.progress import Plan
from sentinelone_source.feed.state.files import STATE_FILE
from sentinelone_source.times import SECOND

DAY = 86_400.0
HOUR = 3600.0
TENANT = {"activities": 2.0, "agents": 20_000 / (6 * HOUR)}
"""Records a second of 20,000 agents, each of which changes every six hours."""
STREAM = 300.0
"""Records a second, at a tenth of the time scale: interval, look-back and latency."""
SCALE = 0.1
SWEEPS = 100
"""Of the stream that is measured: a recheck at the greatest age is among them."""
FETCHED = {600.0: Goal(3.2), DAY: Goal(5.3)}
"""By look-back: records read for each new one."""
CPU = {600.0: Goal(1.8), DAY: Goal(2.5)}
"""By look-back: for each new row, against a stream in which each record is read once."""
KNOWN = Goal(0.333)
STATE = Goal(40, " B")
ROUNDS = 3


def run() -> list[Row]:
    """A day at several intervals, also with an outage; then a stream, against one reading."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    days = [
        _day(table, lookback, interval, outage)
        for table, lookback in (("agents", 600.0), ("activities", DAY))
        for interval, outage in ((60.0, 0.0), (30.0, 0.0), (60.0, HOUR))
    ]
    return days + _stream()


def _plan(lookback: float, interval: float) -> Plan:
    micros, overlap = round(lookback * SECOND), round(interval * SECOND)
    return Plan(lookback=micros, overlap=overlap, start_back=micros, remember=micros)


def _day(table: str, lookback: float, interval: float, outage: float) -> Row:
    """A day in the life of a feed that has run for a day."""
    tenant = SteadyTenant(table, TENANT[table])
    with poller(tenant, _plan(lookback, interval), interval) as one:
        asyncio.run(_lives(one, tenant, outage))
        counts = one.feed.counts
    ratio = counts.fetched / counts.rows
    goal = FETCHED[lookback]
    words = f"{table}, look-back {_hours(lookback)}, every {interval:.0f} s"
    words += ", an hour's outage" if outage else ""
    found = f"{counts.fetched:,} records", f"{counts.rows:,} rows", f"{ratio:.2f}x"
    return Row("rechecks", words, *found, str(goal), goal.verdict(ratio))


async def _lives(one: Poller, tenant: SteadyTenant, outage: float) -> None:
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


class _Used(NamedTuple):
    """CPU seconds for 1000 new rows, records read for each, and bytes of a remembered one."""

    cpu: float
    fetched: float
    state: float


def _stream() -> list[Row]:
    """CPU for each new row of a stream, against reading each record once."""
    plans = {lookback: _plan(SCALE * lookback, SCALE * 60.0) for lookback in CPU}
    plans[0.0] = Plan(lookback=0, overlap=1, remember=plans[600.0].remember)
    found = rounds({lookback: partial(_used, plan) for lookback, plan in plans.items()}, ROUNDS)
    once = found.pop(0.0)
    theirs = "read once", [one.cpu for one in once]
    rows = []
    for lookback, used in found.items():
        words = f"stream, look-back {_hours(lookback)}, CPU for 1000 new rows"
        rows.append(compare("rechecks", words, [one.cpu for one in used], theirs, CPU[lookback]))
        known = [
            (ours.cpu - other.cpu) / (ours.fetched - other.fetched)
            for ours, other in zip(used, once, strict=True)
        ]
        rows.append(compare("rechecks", "  1000 known records", known, theirs, KNOWN))
    size = found[DAY][0].state
    return [*rows, measured("rechecks", "  state, a remembered row", f"{size:.1f} B", size, STATE)]


def _used(plan: Plan) -> _Used:
    """What a steady stream uses, without the tenant's own part."""
    tenant = SteadyTenant("activities", STREAM, latency=round(SCALE * LATENCY), compressed=True)
    interval = SCALE * 60.0
    with poller(tenant, plan, interval) as one:
        remembered = one.remember(plan.remember)
        size = Path(one.state.folder, STATE_FILE).stat().st_size / remembered
        gc.collect()
        began, others = time.process_time(), tenant.cpu
        asyncio.run(one.live(SWEEPS * interval))
        used = time.process_time() - began - (tenant.cpu - others)
        counts = one.feed.counts
        return _Used(1000 * used / counts.rows, counts.fetched / counts.rows, size)
