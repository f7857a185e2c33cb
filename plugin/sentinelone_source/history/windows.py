"""The windows of a backfill while they are read: which reader gets which, and how far each is.

A large window is divided when readers are idle.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.progress import ENDLESS, Plan, Progress
from sentinelone_source.feed.reader import FeedReader
from sentinelone_source.feed.recheck import Window
from sentinelone_source.feed.settlement import FeedContext
from sentinelone_source.history.old_rows import OLD
from sentinelone_source.history.plan import PlannedWindow
from sentinelone_source.times import SECOND

_SMALLEST = SECOND
"""A window is not divided into parts shorter than this; microseconds."""


@dataclass(eq=False)
class WindowPart:
    """A window, and how far it has been read. Durations and positions are microseconds.

    Attributes:
        window: the window in the plan; dividing it moves its end back.
        number: its place in the plan.
        reached: every record before this position has been handed over.
        in_hand: whether a page of it is being handed over; then it cannot be divided.
        page: the time that its last page covered; 0 if at most one more page is expected, or if
            records do not come in order.
    """

    window: PlannedWindow
    number: int
    reached: int
    in_hand: bool = False
    page: int = 0

    @property
    def left(self) -> int:
        """The part of the window that is still to be read, in microseconds."""
        return max(0, self.window.end - self.reached)

    @property
    def can_give(self) -> int:
        """Into how many parts of at least one page it can be divided now."""
        return self.left // max(self.page, _SMALLEST) if self.page and not self.in_hand else 1


class Schedule:
    """Gives each window to one reader.

    `divide` splits a window at a position; it returns the part from there on as a new window.
    """

    def __init__(
        self, waiting: Iterable[WindowPart], divide: Callable[[WindowPart, int], WindowPart]
    ) -> None:
        self._waiting = deque(waiting)
        self._divide = divide
        self._under_way: list[WindowPart] = []
        self._idle = 0
        self._changed = asyncio.Event()

    async def next(self) -> WindowPart | None:
        """Wait for a window; None when all windows have been read."""
        while not self._waiting:
            if not self._under_way:
                return None
            self._idle += 1
            self._share(max(self._under_way, key=lambda part: part.left * (part.can_give > 1)))
            if not self._waiting:
                await self._changed.wait()
            self._idle -= 1
        part = self._waiting.popleft()
        self._under_way.append(part)
        return part

    def passed(self, part: WindowPart) -> None:
        """Note that a page was handed over; divide a large window if readers are idle."""
        part.in_hand = False
        if 2 * part.left >= max((one.left for one in self._under_way if one.page), default=0):
            self._share(part)

    def done(self, part: WindowPart) -> None:
        """Note that a window has been read to its end, or was given up."""
        self._under_way.remove(part)
        self._wake()

    def _share(self, part: WindowPart) -> None:
        """Divide a window into equal parts, for its own reader and for each idle one."""
        parts = min(self._idle - len(self._waiting) + 1, part.can_give)
        step = part.left // max(1, parts)
        for n in range(parts - 1, 0, -1):
            self._waiting.append(self._divide(part, part.reached + n * step))
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        event, self._changed = self._changed, asyncio.Event()
        event.set()


class BackfillWindow(Window):
    """A window with a watermark in the state, whose end moves back when it is divided.

    Args:
        part: the window in the schedule; its `reached`, `in_hand` and `page` are set here.
        progress: of the window, from the state.
        passed: called when a page has been handed over.
        old_before: rows of earlier positions are counted as `OLD`; microseconds.
        full: a page with fewer records is probably the last one.
    """

    def __init__(
        self,
        part: WindowPart,
        progress: Progress,
        passed: Callable[[WindowPart], None],
        old_before: int,
        full: int,
    ) -> None:
        super().__init__(part.reached, part.window.end, progress)
        self._part, self._tell = part, passed
        self._old_before, self._full = old_before, full

    @property
    def progress(self) -> Progress:
        """How far the window has been read, as its watermark."""
        return replace(self._before, watermark=self.reached)

    def accept_clock(self, console_clock: int | None) -> bool:
        """Begin a page; from now on the window cannot be divided until the page is handed over."""
        self._part.in_hand = True
        self.until = self._part.window.end
        return super().accept_clock(console_clock)

    def _move_on(self, positions: list[int]) -> None:
        super()._move_on(positions)
        more = self.ordered and len(positions) >= self._full
        self._part.page = max(1, positions[-1] - positions[0]) if more else 0
        self.beyond = self.nearly_beyond  # records are in order: all later ones are beyond, too
        self._tell(self._part)

    def reach(self, position: int) -> None:
        """Set `reached` of the schedule's part, too."""
        super().reach(position)
        self._part.reached = self.reached

    def late(self, position: int) -> str:
        """`OLD` for a row whose `TimeGenerated` Azure replaces; else empty."""
        return OLD if position < self._old_before else ""

    def prune_before(self) -> int | None:
        """The watermark: nothing before it is read again."""
        return self.reached


class WindowReader(FeedReader):
    """Reads one window, from where an earlier process stopped to its end."""

    def __init__(
        self,
        feed: Feed,
        part: WindowPart,
        context: FeedContext,
        passed: Callable[[WindowPart], None],
        old_before: int,
    ) -> None:
        number = context.state.feed(feed.console.name, window_name(feed.name, part.number))
        super().__init__(
            feed.console, feed.mapper, context, number, Plan(lookback=0, interval=ENDLESS)
        )
        self._part, self._progress = part, context.state.progress(number)
        self._passed, self._old_before = passed, old_before
        request = self.mapper.mapping.request
        # with several passes a window is not divided: the first pass has already read all of it
        self._full = sys.maxsize if len(request.passes) > 1 else (request.page_size + 1) // 2

    async def sweep(self) -> None:
        """Read the window."""
        window = BackfillWindow(
            self._part, self._progress, self._passed, self._old_before, self._full
        )
        try:
            await self.read(window)
        finally:
            self._part.in_hand = False
            self._progress = window.progress


def window_name(feed: str, number: int) -> str:
    """The name of a window in the state."""
    return f"{feed} {number}"
