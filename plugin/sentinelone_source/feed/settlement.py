"""From handed over to settled, and what all feeds share on that way."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

from sentinelone_source.feed.state.progress import Progress, UnsettledPage
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Sink
from sentinelone_source.times import SYSTEM_CLOCK, Clock

LOOK = 1.0
"""Seconds between looks at whether the reader is still there."""


class Reader(Protocol):
    """The one we hand rows to."""

    def check(self) -> None:
        """Raise ReaderGone if nobody reads any more."""


class RowKeys(NamedTuple):
    """What is remembered of rows."""

    keys: list[str]
    positions: list[int]


class _Due(NamedTuple):
    at: float
    page: UnsettledPage


class Settlement:
    """Pages on their way to being settled, in the order they were handed over.

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
        self._wake = asyncio.Event()

    def add(self, feed: int, rows: RowKeys, progress: Progress, prune_before: int | None) -> None:
        """A page has been handed over.

        Args:
            feed: the feed's number.
            rows: keys and positions of the page's rows.
            progress: how far the feed is complete with it.
            prune_before: keys of earlier positions will not be asked for again; None forgets none.

        Raises:
            ReaderGone: the reader has gone, so the page may not have arrived.
        """
        if not self._delay:
            self._reader.check()
            self._state.settle_at_once(feed, *rows, progress, prune_before)
            return
        page = UnsettledPage(
            self._state.record_unsettled(feed, *rows), feed, progress, prune_before
        )
        self._pages.append(_Due(time.monotonic() + self._delay, page))
        self._wake.set()

    async def run(self) -> None:
        """Settle pages as they become due, until cancelled.

        Raises:
            ReaderGone: the reader has gone; noticed within a second, also when there are no rows.
        """
        while True:
            self._reader.check()
            now = time.monotonic()
            while self._pages and self._pages[0].at <= now:
                self._state.settle([self._pages.popleft().page])
                await asyncio.sleep(0)
            self._wake.clear()
            until_due = self._pages[0].at - time.monotonic() if self._pages else LOOK
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK, max(0.0, until_due))):
                    await self._wake.wait()

    def settle_all(self) -> None:
        """Settle everything: the process stops in good order, or there is nothing to wait for."""
        self._reader.check()
        self._state.settle([due.page for due in self._pages])
        self._pages.clear()


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
    """

    sink: Sink
    settlement: Settlement
    state: State
    dead_letters: DeadLetters
    clock: Clock = SYSTEM_CLOCK
    unpacking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def memory_slot(self) -> MemorySlot:
        """Wait for room for a decoded page."""
        await self._decoding.acquire()
        return MemorySlot(self._decoding)
