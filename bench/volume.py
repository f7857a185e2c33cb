"""What a heartbeat saves of a simulated day, and what it costs; no change is missing or late."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import tempfile
import time
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog

from bench.fleet import BEGIN, Fleet
from bench.pages import mappings
from bench.report import Goal, Row, compare, measured
from bench.rounds import BenchError, rounds
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.progress import Plan
from sentinelone_source.feed.settlement import FeedContext, Settlement
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.batches import CompressedBatch
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Receipt, Sink, all_taken
from sentinelone_source.handover.stdout import StdoutSink
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.times import SECOND, Clock

AGENTS = 20_000
EVERY = 900
"""Seconds between two reports of an agent, and between two sweeps."""
DAY = 86_400
NEWS = 2
"""Of an agent in a day."""
ROUNDS = 5
_LINE = re.compile(rb'"LastLoggedInUserName":"u(\d+)".*?"Id":"(\d+)"')


def run() -> list[Row]:
    """Simulate the day, and measure sweeps with a heartbeat and without."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    return [asyncio.run(_day()), *_cost()]


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


@contextmanager
def _feed(fleet: Fleet, sink: Sink, heartbeat: int) -> Iterator[Feed]:
    """A feed with a new state."""
    clock = Clock(lambda: fleet.clock, lambda: fleet.clock / SECOND)
    plan = Plan(600 * SECOND, EVERY * SECOND, DAY * SECOND, inventory=True, heartbeat=heartbeat)
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        settlement = Settlement(state, sink, 0)
        context = FeedContext(sink, settlement, state, DeadLetters(Path(folder)), clock)
        yield Feed(cast("Any", fleet), Mapper(mappings()["agents"]), plan, context)
        state.close()


async def _day() -> Row:
    fleet, workspace = Fleet(AGENTS, EVERY, DAY, NEWS), _Workspace()
    with _feed(fleet, cast("Any", workspace), DAY * SECOND) as feed:
        await feed.sweep()
        inventory = feed.counts.copy()
        while fleet.clock < BEGIN + DAY * SECOND:
            fleet.clock += EVERY * SECOND
            await feed.sweep()
            late = [n for at, n in fleet.shown() if workspace.says[n] != fleet.says(n, at)]
            if late:
                raise BenchError(f"{len(late)} changes are missing after a sweep, as of {late[0]}")
        counts = feed.counts.since(inventory)
    every = counts.bytes + counts.unchanged_bytes
    saved = 100 * counts.unchanged_bytes / every
    what = f"{AGENTS:,} agents, a day, a report every {EVERY} s: bytes saved"
    ours = f"{counts.bytes / 1e6:,.0f} MB, {counts.rows:,} rows"
    theirs = f"every version {every / 1e6:,.0f} MB, {counts.rows + counts.unchanged:,} rows"
    row = measured("volume", what, ours, saved, Goal(95, " %", least=True), theirs=theirs)
    return row._replace(ratio=f"{saved:.1f} %")


class _Shipper(_Workspace):
    """Takes rows as they are sent to a shipper: compressed."""

    async def write(
        self, _console: str, _mapping: str, batches: Iterable[list[bytes]]
    ) -> Awaitable[Receipt]:
        """Compress every batch."""
        for pieces in batches:
            CompressedBatch.compress(pieces, 0)
        return all_taken()


def _cost() -> list[Row]:
    """Two sweeps of all agents: the first one, and one after which nothing but times differs."""
    with Path(os.devnull).open("wb") as nowhere:
        sinks = {"stdout": StdoutSink(nowhere.fileno()), "HTTP": cast("Any", _Shipper())}
        contenders = {
            (to, heartbeat): partial(_cpu, sink, heartbeat)
            for to, sink in sinks.items()
            for heartbeat in (DAY * SECOND, 0)
        }
        found = rounds(contenders, ROUNDS)
    return [
        compare(
            "volume",
            f"{AGENTS:,} agents {what}, by {to}, CPU with a heartbeat",
            [one[n] for one in found[to, DAY * SECOND]],
            ("without", [one[n] for one in found[to, 0]]),
            Goal(1.15),
        )
        for n, what in enumerate(("in which only times differ", "that are all new"))
        for to in sinks
    ]


def _cpu(sink: Sink, heartbeat: int) -> tuple[float, float]:
    """CPU seconds of a sweep in which only times differ, and of the one before, the first.

    What the fleet itself uses is left out.
    """
    fleet = Fleet(AGENTS, EVERY, DAY, 0, compressed=True)
    used = []
    with _feed(fleet, sink, heartbeat) as feed:
        for _ in range(2):
            gc.collect()
            began, others = time.process_time(), fleet.cpu
            asyncio.run(feed.sweep())
            used.append(time.process_time() - began - (fleet.cpu - others))
            fleet.clock += EVERY * SECOND
    return used[1], used[0]
