"""Which window a reader gets next. A large window is divided when readers are idle."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
        in_hand: whether a page of it is being handed over.
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

    Args:
        waiting: windows that are to be read.
        divide: splits a window at a position; returns the part from there on as a new window.
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
