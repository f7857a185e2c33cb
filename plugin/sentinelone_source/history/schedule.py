"""Which window is read next: so many at a time, and a large one is divided for idle readers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sentinelone_source.history.plan import PlannedWindow
from sentinelone_source.times import SECOND

_SMALLEST = SECOND
"""No part of a window that is divided is shorter than this."""


@dataclass(eq=False)
class WindowPart:
    """A window on its way.

    Attributes:
        window: in the plan; its end comes nearer when it is divided.
        number: its place in the plan.
        reached: every record before this position has been handed over.
        in_hand: a page of it is being handed over.
        page: how much of the window its last page took; 0 if no more than a page is expected, or
            records do not come in order.
    """

    window: PlannedWindow
    number: int
    reached: int
    in_hand: bool = False
    page: int = 0

    @property
    def left(self) -> int:
        """How much of the window is still to be read."""
        return max(0, self.window.end - self.reached)

    @property
    def can_give(self) -> int:
        """Into how many parts of a page or more it can be divided now."""
        return self.left // max(self.page, _SMALLEST) if self.page and not self.in_hand else 1


class Schedule:
    """Gives windows to readers, each to one.

    Args:
        waiting: windows that are to be read.
        divide: makes what lies behind a position of a window a window of its own.
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
        """A window for an idle reader; None when everything has been read."""
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
        """A page of a window has been handed over: idle readers get a share of what is left."""
        part.in_hand = False
        if 2 * part.left >= max((one.left for one in self._under_way if one.page), default=0):
            self._share(part)

    def done(self, part: WindowPart) -> None:
        """A window has been read to its end, or was given up."""
        self._under_way.remove(part)
        self._wake()

    def _share(self, part: WindowPart) -> None:
        """Divide a window into equal parts: one for each reader that has none, and its own."""
        parts = min(self._idle - len(self._waiting) + 1, part.can_give)
        step = part.left // max(1, parts)
        for n in range(parts - 1, 0, -1):
            self._waiting.append(self._divide(part, part.reached + n * step))
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        event, self._changed = self._changed, asyncio.Event()
        event.set()
