"""The windows of a backfill while they are read: which reader gets which, and how far each is.

A large window is divided when readers are idle.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable

import msgspec

from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.progress import ENDLESS, LOWEST, Plan, Progress
from sentinelone_source.feed.reader import FeedReader
from sentinelone_source.feed.reading import Reading
from sentinelone_source.feed.recheck import Window
from sentinelone_source.feed.settlement import FeedContext
from sentinelone_source.feed.state.schema import RowKeys
from sentinelone_source.history.plan import BackfillPlan, PlanFile, PlannedWindow
from sentinelone_source.times import SECOND

OLD = "old"
"""The label in `Counts.late` for rows whose `TimeGenerated` Azure replaces."""
_SMALLEST = SECOND
"""A window is not divided into parts shorter than this; microseconds."""


class BackfillWindow(Window):
    """A window of a plan, from where it was left to its end, which moves back when it is divided.

    Attributes:
        planned: the window in the plan.
        number: its place in the plan.
        in_hand: whether a page of it is being handed over; then it cannot be divided.
        page: the time that its last page covered; 0 if at most one more page is expected, or if
            records do not come in order.
        old_before: rows of earlier positions are counted as `OLD`; microseconds.
        full: a page with fewer records is probably the last one.
    """

    def __init__(self, planned: PlannedWindow, number: int, reached: int | None) -> None:
        super().__init__(planned.start if reached is None else reached, planned.end, Progress())
        self.planned, self.number = planned, number
        self.in_hand = False
        self.page = 0
        self.old_before, self.full = LOWEST, 1

    def restart(self) -> None:
        """Begin again where it was left."""
        self.start, self.held = self.reached, None

    @property
    def left(self) -> int:
        """The part of the window that is still to be read, in microseconds."""
        return max(0, self.until - self.reached)

    @property
    def can_give(self) -> int:
        """Into how many parts of at least one page it can be divided now."""
        return self.left // max(self.page, _SMALLEST) if self.page and not self.in_hand else 1

    @property
    def progress(self) -> Progress:
        """How far the window has been read, as its watermark."""
        return Progress(watermark=self.reached)

    def accept_clock(self, console_clock: int | None) -> bool:
        """Begin a page; from now on the window cannot be divided until the page is handed over."""
        self.in_hand = True
        return super().accept_clock(console_clock)

    def _move_on(self, positions: list[int]) -> None:
        super()._move_on(positions)
        more = self.ordered and len(positions) >= self.full
        self.page = max(1, positions[-1] - positions[0]) if more else 0
        self.beyond = self.nearly_beyond  # records are in order: all later ones are beyond, too

    def late(self, position: int) -> str:
        """`OLD` for a row whose `TimeGenerated` Azure replaces; else empty."""
        return OLD if position < self.old_before else ""

    def prune_before(self) -> int | None:
        """The watermark: nothing before it is read again."""
        return self.reached


class Schedule:
    """Gives each window to one reader, and divides large windows when readers are idle.

    Attributes:
        windows: all windows of the plan.
    """

    def __init__(self, plan: BackfillPlan, file: PlanFile, windows: list[BackfillWindow]) -> None:
        self.windows = windows
        self._plan, self._file = plan, file
        self._waiting = deque(window for window in windows if window.left)
        self._under_way: list[BackfillWindow] = []
        self._idle = 0
        self._changed = asyncio.Event()

    @property
    def part_done(self) -> float:
        """The part of all windows that has been read, 0 to 1."""
        total = sum(window.until - window.planned.start for window in self.windows)
        return 1 - sum(window.left for window in self.windows) / max(1, total)

    async def next(self) -> BackfillWindow | None:
        """Wait for a window; None when all windows have been read."""
        while not self._waiting:
            if not self._under_way:
                return None
            self._idle += 1
            self._share(max(self._under_way, key=lambda one: one.left * (one.can_give > 1)))
            if not self._waiting:
                await self._changed.wait()
            self._idle -= 1
        window = self._waiting.popleft()
        self._under_way.append(window)
        return window

    def passed(self, window: BackfillWindow) -> None:
        """Note that a page was handed over; divide a large window if readers are idle."""
        window.in_hand = False
        if 2 * window.left >= max((one.left for one in self._under_way if one.page), default=0):
            self._share(window)

    def done(self, window: BackfillWindow) -> None:
        """Note that a window has been read to its end, or was given up."""
        self._under_way.remove(window)
        self._wake()

    def _share(self, window: BackfillWindow) -> None:
        """Divide a window into equal parts, for its own reader and for each idle one."""
        parts = min(self._idle - len(self._waiting) + 1, window.can_give)
        step = window.left // max(1, parts)
        for n in range(parts - 1, 0, -1):
            self._waiting.append(self._divide(window, window.reached + n * step))
        if self._waiting:
            self._wake()

    def _divide(self, window: BackfillWindow, at: int) -> BackfillWindow:
        """Split a window at a position; the new part is in the plan's file when this returns."""
        rest = msgspec.structs.replace(window.planned, start=at)
        window.planned.end = window.until = at
        self._plan.windows.append(rest)
        self._file.write(self._plan)
        self.windows.append(BackfillWindow(rest, len(self.windows), None))
        return self.windows[-1]

    def _wake(self) -> None:
        event, self._changed = self._changed, asyncio.Event()
        event.set()


class WindowReader(FeedReader):
    """Reads one window; `passed` is called when a page of it has been handed over."""

    def __init__(
        self,
        feed: Feed,
        window: BackfillWindow,
        context: FeedContext,
        passed: Callable[[BackfillWindow], None],
    ) -> None:
        number = context.state.feed(feed.console.name, window_name(feed.name, window.number))
        plan = Plan(lookback=0, interval=ENDLESS)
        super().__init__(feed.console, feed.mapper, context, number, plan)
        self._window, self._passed = window, passed
        request = self.mapper.mapping.request
        # with several passes a window is not divided: the first pass has already read all of it
        window.full = sys.maxsize if len(request.passes) > 1 else (request.page_size + 1) // 2

    async def sweep(self) -> None:
        """Read the window."""
        self._window.restart()
        try:
            await self.read(self._window)
        finally:
            self._window.in_hand = False

    async def _settle(self, reading: Reading, rows: RowKeys, progress: Progress) -> None:
        await super()._settle(reading, rows, progress)
        self._passed(self._window)


def window_name(feed: str, number: int) -> str:
    """The name of a window in the state."""
    return f"{feed} {number}"
