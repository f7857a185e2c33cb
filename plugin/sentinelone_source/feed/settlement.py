"""Settles pages that were handed over; and `FeedContext`, which all feeds of a process share."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.state.schema import RowKeys, SettledPage, UnsettledPage
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Sink
from sentinelone_source.times import SYSTEM_CLOCK, Clock
from sentinelone_source.worker_threads import in_thread

LOOK = 1.0
"""Seconds between two checks that the reader is still there."""
_AT_ONCE = 16
"""How many pages are settled in one transaction; the event loop waits meanwhile."""


class Reader(Protocol):
    """The process that reads the rows."""

    def check(self) -> None:
        """Raise ReaderGone if it has ended or closed the pipe."""


class _Due(NamedTuple):
    at: float
    page: UnsettledPage


class Settlement:
    """Settles pages in the order in which they were handed over.

    Pages of several feeds are committed together, so that they wait for the disk only once.

    Args:
        state: stores settled pages.
        reader: checked before every settlement.
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
        """Take a page that was handed over. Without a delay, it is settled when this returns.

        A page without rows is settled within a second instead: if a crash comes first, no row is
        lost or repeated.

        Args:
            feed: the feed's number.
            rows: keys and positions of the page's rows.
            progress: how far the feed is complete with this page.
            prune_before: keys before this position are deleted; None keeps all.

        Raises:
            ReaderGone: the reader has gone, so the page may not have arrived.
            StateError: the state cannot be written.
        """
        page = SettledPage(feed, rows, progress, prune_before)
        if self._delay:
            unsettled = self._state.record_unsettled(page)
            self._pages.append(_Due(time.monotonic() + self._delay, unsettled))
            return
        self._reader.check()
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
            ReaderGone: the reader has gone. This is noticed within a second, also without rows.
            StateError: the state cannot be written.
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
        """Settle all pages now, because the process stops or no page has to wait."""
        self._reader.check()
        self._state.settle([due.page for due in self._pages])
        self._pages.clear()
        async with self._committing:
            await self._commit()

    async def _commit(self) -> None:
        """Commit all pages that have gathered, in one transaction."""
        pages, self._gathered = self._gathered, []
        latest, self._without_rows = self._without_rows, {}
        try:
            await in_thread(self._state.settle_at_once, [*pages, *latest.values()])
        except BaseException:
            self._gathered = pages + self._gathered  # their feeds try again, and fail too
            raise


class MemorySlot:
    """The right to hold one decoded page in memory; `release` gives it back once."""

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

    One page at a time is decoded and made into lines, because a page of threats and its rows take
    20 MiB. Meanwhile, one more page is decompressed in a thread.

    Attributes:
        sink: takes the rows.
        unpacking: held by the feed whose page is decompressed, until it has a memory slot.
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
        """Wait until no other page is decoded."""
        await self._decoding.acquire()
        return MemorySlot(self._decoding)
