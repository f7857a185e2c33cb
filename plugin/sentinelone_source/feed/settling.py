"""From handed over to settled: when a page may be forgotten, and what is kept then."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import NamedTuple, Protocol

from sentinelone_source.feed.state import Page, Progress, State

LOOK = 1.0
"""Seconds between looks at whether the reader is still there."""


class Reader(Protocol):
    """The one we hand rows to."""

    def check(self) -> None:
        """Raise ReaderGone if nobody reads any more."""


class Rows(NamedTuple):
    """What is remembered of rows."""

    keys: list[str]
    positions: list[int]


class _Due(NamedTuple):
    at: float
    page: Page


class Settling:
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

    def add(self, feed: int, rows: Rows, progress: Progress, forget_before: int | None) -> None:
        """A page has been handed over.

        Args:
            feed: the feed's number.
            rows: keys and positions of the page's rows.
            progress: how far the feed is complete with it.
            forget_before: keys of earlier positions will not be asked for again; None forgets none.

        Raises:
            ReaderGone: the reader has gone, so the page may not have arrived.
        """
        if not self._delay:
            self._reader.check()
            self._state.settle_at_once(feed, *rows, progress, forget_before)
            return
        page = Page(self._state.note(feed, *rows), feed, progress, forget_before)
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
