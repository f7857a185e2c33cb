"""One window of a feed's past, read from where it was left to its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.page_run import Counts
from sentinelone_source.feed.reader import FeedReader
from sentinelone_source.feed.reading import Window
from sentinelone_source.feed.settlement import FeedContext
from sentinelone_source.feed.state.progress import Progress
from sentinelone_source.history.schedule import WindowPart

OLD = "old"
"""Where rows are counted that Azure gives another `TimeGenerated`."""


def window_name(feed: str, number: int) -> str:
    """What a window is called in the state."""
    return f"{feed} {number}"


@dataclass(frozen=True)
class Watch:
    """What a window is read with.

    Attributes:
        passed: called when a page has been handed over.
        old_before: rows of earlier positions are counted as `OLD`.
        full: a page with fewer records is probably the last.
    """

    passed: Callable[[WindowPart], None]
    old_before: int
    full: int


class BackfillWindow(Window):
    """A window whose watermark is kept, and whose end comes nearer when it is divided.

    Args:
        part: of the plan; it is told how far the window is read.
        progress: of the window.
        watch: how it is read.
    """

    def __init__(self, part: WindowPart, progress: Progress, watch: Watch) -> None:
        super().__init__(part.reached, part.window.end, progress)
        self._part, self._watch = part, watch

    @property
    def progress(self) -> Progress:
        """Of the window."""
        return replace(self._before, watermark=self.reached)

    def began(self, console_clock: int | None) -> bool:
        """A page is in hand: its rows lie before the end as it is now."""
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
        """Tell the plan, too."""
        super().reach(position)
        self._part.reached = self.reached

    def late(self, position: int) -> str:
        """Whether Azure gives the row another `TimeGenerated`."""
        return OLD if position < self._watch.old_before else ""

    def prune_before(self) -> int | None:
        """What lies before the watermark is not read again."""
        return self.reached


class WindowReader:
    """Reads one window; `sweep_once` takes it for a feed.

    Args:
        feed: whose past it is.
        part: the window.
        context: with the state of the backfill.
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
        # what an earlier one of several passes has read is not another window's any more
        full = sys.maxsize if len(request.passes) > 1 else request.page_size // 2
        self._watch = Watch(passed, old_before, full)

    async def sweep(self) -> Counts:
        """Read the window. Raises what `FeedReader.read` raises."""
        window = BackfillWindow(self._part, self._progress, self._watch)
        try:
            await self.reader.read(window)
        finally:
            self._part.in_hand = False
            self._progress = window.progress
        return self.reader.counts
