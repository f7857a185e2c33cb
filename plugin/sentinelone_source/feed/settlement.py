"""From handed over to settled, and what all feeds share on that way."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

from sentinelone_source.feed.state.progress import (
    Progress,
    RowKeys,
    SettledPage,
    UnsettledPage,
)
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Sink
from sentinelone_source.times import SYSTEM_CLOCK, Clock
from sentinelone_source.worker_threads import in_thread

LOOK = 1.0
"""Seconds between looks at whether the reader is still there."""
_AT_ONCE = 16
"""Pages that are settled in one go; the event loop waits meanwhile."""


class Reader(Protocol):
    """The one we hand rows to."""

    def check(self) -> None:
        """Raise ReaderGone if nobody reads any more."""


class _Due(NamedTuple):
    at: float
    page: UnsettledPage


class Settlement:
    """Pages on their way to being settled, in the order they were handed over.

    The pages of all feeds share their commits, and so their waits for the disk.

    Args:
        state: where settled pages go.
        reader: asked before every settlement whether it is still there.
        delay: seconds between hand-over and settlement; 0 settles at once.
    """

    def __init__(self, state: State, reader: Reader, delay: float) -> None:
        self._state = state
        self._reader = reader
        self._delay = delay
        self._pages: deque[_Due] = deque()
        self._gathered: list[SettledPage] = []
        self._without_rows: dict[int, SettledPage] = {}
        self._committing = asyncio.Lock()

    async def add(
        self, feed: int, rows: RowKeys, progress: Progress, prune_before: int | None
    ) -> None:
        """A page has been handed over. One with rows that settles at once has settled hereafter.

        Progress without rows becomes permanent within a second: a crash loses no row by it, and
        repeats none.

        Args:
            feed: the feed's number.
            rows: keys and positions of the page's rows.
            progress: how far the feed is complete with it.
            prune_before: keys of earlier positions will not be asked for again; None forgets none.

        Raises:
            ReaderGone: the reader has gone, so the page may not have arrived.
        """
        if self._delay:
            number = self._state.record_unsettled(feed, *rows)
            unsettled = UnsettledPage(number, feed, progress, prune_before)
            self._pages.append(_Due(time.monotonic() + self._delay, unsettled))
            return
        self._reader.check()
        page = SettledPage(feed, rows, progress, prune_before)
        if not any(rows):
            self._without_rows[feed] = page
            return
        self._without_rows.pop(feed, None)
        self._state.raise_newest(feed, rows.positions)
        self._gathered.append(page)
        async with self._committing:  # while one commit is under way, the pages of others gather
            if any(one is page for one in self._gathered):
                await self._commit()

    async def run(self) -> None:
        """Settle pages as they become due, until cancelled.

        Raises:
            ReaderGone: the reader has gone; noticed within a second, also when there are no rows.
        """
        while True:
            self._reader.check()
            while self._pages and self._pages[0].at <= time.monotonic():
                due = [self._pages.popleft() for _ in range(min(_AT_ONCE, len(self._pages)))]
                self._state.settle([one.page for one in due])
                await asyncio.sleep(0)
            if self._without_rows:
                async with self._committing:
                    await self._commit()
            await asyncio.sleep(min(LOOK, self._delay or LOOK))

    async def settle_all(self) -> None:
        """Settle everything: the process stops in good order, or there is nothing to wait for."""
        self._reader.check()
        self._state.settle([due.page for due in self._pages])
        self._pages.clear()
        async with self._committing:
            await self._commit()

    async def _commit(self) -> None:
        """Make permanent what has gathered, in one transaction."""
        pages, self._gathered = self._gathered, []
        latest, self._without_rows = self._without_rows, {}
        try:
            await in_thread(self._state.settle_at_once, [*pages, *latest.values()])
        except BaseException:
            self._gathered = pages + self._gathered  # whoever waits for them fails, too
            raise


class MemorySlot:
    """Room for one decoded page, given back once."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock: asyncio.Lock | None = lock

    def release(self) -> None:
        """Let the next page be decoded."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(frozen=True)
class FeedContext:
    """What all feeds of a process share.

    One page at a time is decoded and made into lines, which keeps the process small: a page of
    threats and its rows are 20 MiB. One more is unpacked meanwhile, in a thread.

    Attributes:
        unpacking: held by the feed whose page is unpacked, until it has a slot.
        writing_dead: held by the feed whose dead letters are written.
    """

    sink: Sink
    settlement: Settlement
    state: State
    dead_letters: DeadLetters
    clock: Clock = SYSTEM_CLOCK
    unpacking: asyncio.Lock = field(default_factory=asyncio.Lock)
    writing_dead: asyncio.Lock = field(default_factory=asyncio.Lock)
    _decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def memory_slot(self) -> MemorySlot:
        """Wait for room for a decoded page."""
        await self._decoding.acquire()
        return MemorySlot(self._decoding)
