"""What a heartbeat saves of a simulated day, and what it costs; no change is missing or late."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog

from bench.fleet import BEGIN, Fleet
from bench.pages import mappings
from bench.poller import Bench, console
from bench.report import Goal, Row, compare
from bench.rounds import BenchError, rounds
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.progress import Plan
from sentinelone_source.feed.settlement import FeedContext, Settlement
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Receipt, all_taken
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.times import SECOND, Clock

AGENTS = 20_000
EVERY = 900
"""Seconds between two reports of an agent, and between two sweeps."""
DAY = 86_400
NEWS = 2
"""Of an agent in a day."""
PAGES = 20
ROUNDS = 5
_LINE = re.compile(rb'"LastLoggedInUserName":"u(\d+)".*?"Id":"(\d+)"')


def run() -> list[Row]:
    """Simulate the day, and measure first sweeps with a heartbeat and without."""
    return [*asyncio.run(_day()), _cost()]


class _Workspace:
    """Takes rows: knows what the last one of each agent says."""

    def __init__(self) -> None:
        self.says: dict[int, int] = {}

    def check(self) -> None:
        """There is always a reader."""

    async def write(
        self, _console: str, _mapping: str, batches: Iterable[list[bytes]]
    ) -> Awaitable[Receipt]:
        """Look at every row."""
        for pieces in batches:
            for user, agent in _LINE.findall(b"".join(pieces)):
                self.says[int(agent)] = int(user)
        return all_taken()


async def _day() -> list[Row]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    fleet, workspace = Fleet(AGENTS, EVERY, DAY, NEWS), _Workspace()
    clock = Clock(lambda: fleet.clock, lambda: fleet.clock / SECOND)
    plan = Plan(600 * SECOND, EVERY * SECOND, DAY * SECOND, inventory=True, heartbeat=DAY * SECOND)
    with tempfile.TemporaryDirectory() as folder:
        state, sink = State(Path(folder)), cast("Any", workspace)
        settlement = Settlement(state, sink, 0)
        context = FeedContext(sink, settlement, state, DeadLetters(Path(folder)), clock)
        feed = Feed(cast("Any", fleet), Mapper(mappings()["agents"]), plan, context)
        await feed.sweep()
        inventory = feed.counts.copy()
        while fleet.clock < BEGIN + DAY * SECOND:
            fleet.clock += EVERY * SECOND
            await feed.sweep()
            late = [n for at, n in fleet.shown() if workspace.says[n] != fleet.says(n, at)]
            if late:
                raise BenchError(f"{len(late)} changes are missing after a sweep, as of {late[0]}")
        state.close()
    counts = feed.counts.since(inventory)
    every = counts.bytes + counts.unchanged_bytes
    saved = 100 * counts.unchanged_bytes / every
    goal = Goal(95, " %", least=True)
    return [
        Row(
            "volume",
            f"{AGENTS:,} agents, a day, a report every {EVERY} s: bytes saved",
            f"{counts.bytes / 1e6:,.0f} MB, {counts.rows:,} rows",
            f"every version {every / 1e6:,.0f} MB, {counts.rows + counts.unchanged:,} rows",
            f"{saved:.1f} %",
            str(goal),
            goal.verdict(saved),
        )
    ]


def _cost() -> Row:
    with console(PAGES) as bench:
        contenders = {
            heartbeat: partial(_cpu, bench, f'heartbeat = "{heartbeat}"')
            for heartbeat in ("24h", "0s")
        }
        found = rounds(contenders, ROUNDS)
    what = f"{PAGES} pages of new agents with a heartbeat, CPU"
    return compare("volume", what, found["24h"], ("without", found["0s"]), Goal(1.15))


def _cpu(bench: Bench, feeds: str) -> float:
    return bench.run(["agents"], feeds=feeds).used.cpu
