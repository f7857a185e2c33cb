"""Reads one window of a feed's past, from where an earlier process stopped to its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.page_run import Counts
from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.reader import FeedReader
from sentinelone_source.feed.reading import Window
from sentinelone_source.feed.settlement import FeedContext
from sentinelone_source.history.schedule import WindowPart

OLD = "old"
"""The label in `Counts.late` for rows whose `TimeGenerated` Azure replaces."""


def window_name(feed: str, number: int) -> str:
    """The name of a window in the state."""
    return f"{feed} {number}"


@dataclass(frozen=True)
class Watch:
    """How a window is watched while it is read.

    Attributes:
        passed: called when a page has been handed over.
        old_before: rows of earlier positions are counted as `OLD`; microseconds.
        full: a page with fewer records is probably the last one.
    """

    passed: Callable[[WindowPart], None]
    old_before: int
    full: int


class BackfillWindow(Window):
    """A window with a watermark in the state, whose end moves back when it is divided.

    Args:
        part: the window in the schedule; its `reached`, `in_hand` and `page` are set here.
        progress: of the window, from the state.
        watch: how the window is watched.
    """

    def __init__(self, part: WindowPart, progress: Progress, watch: Watch) -> None:
        super().__init__(part.reached, part.window.end, progress)
        self._part, self._watch = part, watch

    @property
    def progress(self) -> Progress:
        """How far the window has been read, as its watermark."""
        return replace(self._before, watermark=self.reached)

    def began(self, console_clock: int | None) -> bool:
        """Begin a page; from now on the window cannot be divided until the page is handed over."""
        self._part.in_hand = True
        self.until = self._part.window.end
        return super().began(console_clock)

    def passed(self, positions: list[int]) -> Progress:
        """How far the window is complete after a page with these positions."""
        super().passed(positions)
        more = self._ordered and len(positions) >= self._watch.full
        self._part.page = max(1, positions[-1] - positions[0]) if more else 0
        self.beyond = self.nearly_beyond  # they come in order, so all that follows is beyond
        self._watch.passed(self._part)
        return self.progress

    def reach(self, position: int) -> None:
        """Set `reached` of the schedule's part, too."""
        super().reach(position)
        self._part.reached = self.reached

    def late(self, position: int) -> str:
        """`OLD` for a row whose `TimeGenerated` Azure replaces; else empty."""
        return OLD if position < self._watch.old_before else ""

    def prune_before(self) -> int | None:
        """The watermark: nothing before it is read again."""
        return self.reached


class WindowReader:
    """Reads one window. It has the interface of `Swept`, for `sweep_once`.

    Args:
        feed: the feed of the window.
        part: the window.
        context: has the state of the backfill.
        passed: called when a page has been handed over.
        old_before: rows of earlier positions are counted as `OLD`.
    """

    def __init__(
        self,
        feed: Feed,
        part: WindowPart,
        context: FeedContext,
        passed: Callable[[WindowPart], None],
        old_before: int,
    ) -> None:
        self.console, self.name, self.endpoint = feed.console, feed.name, feed.endpoint
        number = context.state.feed(feed.console.name, window_name(feed.name, part.number))
        mapper = feed.reader.mapper
        self.reader = FeedReader(feed.console, mapper, context, number)
        self._part, self._progress = part, context.state.progress(number)
        request = mapper.mapping.request
        # with several passes a window is not divided: the first pass has read all of it already
        full = sys.maxsize if len(request.passes) > 1 else request.page_size // 2
        self._watch = Watch(passed, old_before, full)

    async def sweep(self) -> Counts:
        """Read the window; returns its counts. Raises the errors of `FeedReader.read`."""
        window = BackfillWindow(self._part, self._progress, self._watch)
        try:
            await self.reader.read(window)
        finally:
            self._part.in_hand = False
            self._progress = window.progress
        return self.reader.counts
