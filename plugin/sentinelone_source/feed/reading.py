"""A reading decides which positions are asked for, which records are new, and where it ends.

It uses no network and no disk: `reader` does, and tells it each page. All positions and moments are
microseconds since 1970.
"""

from __future__ import annotations

from typing import Protocol

from sentinelone_source.feed.progress import Progress

LOWEST = -(1 << 63)
"""A position before all others."""


class Reading(Protocol):
    """Positions that are read once, in ascending order.

    Attributes:
        start: the first position to ask for; None for everything there is.
        until: the end of what is asked for, exclusive; None asks for all.
        held: the lowest position of a row that was refused for now; it has to be read again.
        nearly_beyond: whether the next page may be the last one that is needed.
        beyond: whether the last page lay wholly beyond the end, so that the reading is complete.
    """

    start: int | None
    held: int | None
    nearly_beyond: bool
    beyond: bool

    @property
    def until(self) -> int | None: ...

    @property
    def progress(self) -> Progress:
        """How far the feed is complete, with what has been read so far."""

    @property
    def asked_from(self) -> int:
        """The first position that was asked for."""

    @property
    def mostly_known(self) -> bool:
        """Whether most records of the next page have probably been handed over."""

    @property
    def wanted_from(self) -> int:
        """Rows from this position on are handed over if they are not known."""

    @property
    def end(self) -> int:
        """The last position that is needed: a page wholly after it ends the reading."""

    def began(self, console_clock: int | None) -> bool:
        """Take the console's clock at each answer; False if `start` moved back: read from there."""

    def passed(self, positions: list[int]) -> Progress:
        """Take the positions of a page that was handed over; returns the new progress."""

    def hold(self, position: int) -> None:
        """Note that a row at this position was refused for now, and has to be read again."""

    def ended(self) -> Progress:
        """Note that everything has been read; returns the new progress."""

    def late(self, position: int) -> str:
        """The age, in seconds, at which a late row at this position was found; empty if on time."""

    def prune_before(self) -> int | None:
        """The position before which keys are no longer needed; None keeps all."""


class Window:
    """Positions from `start` to before `until`, all of them in the past.

    Args:
        start: the first position; None for everything there is.
        until: the end, exclusive.
        progress: of the feed.

    Attributes:
        reached: every position before this one has been read.
    """

    mostly_known = False

    def __init__(self, start: int | None, until: int, progress: Progress) -> None:
        self.start = start
        self.until = until
        self._before = progress
        self.held: int | None = None
        self.nearly_beyond = self.beyond = False
        self.reached = LOWEST if start is None else start
        self._last = LOWEST
        self._ordered = True

    @property
    def progress(self) -> Progress:
        """The progress of the feed, which reading a window does not change."""
        return self._before

    @property
    def asked_from(self) -> int:
        """The first position."""
        return LOWEST if self.start is None else self.start

    @property
    def wanted_from(self) -> int:
        """The first position."""
        return self.asked_from

    @property
    def end(self) -> int:
        """The last position."""
        assert self.until is not None
        return self.until - 1

    def began(self, console_clock: int | None) -> bool:  # noqa: ARG002 - the past stays as it is
        """True: the window does not depend on the console's clock."""
        return True

    def passed(self, positions: list[int]) -> Progress:
        """Move `reached` to the last position of a page, if the records come in order."""
        if positions:
            self._ordered &= positions[0] >= self._last and positions == sorted(positions)
            self._last = positions[-1]
        if positions and self._ordered:
            self.nearly_beyond = positions[-1] >= self.until
            self.beyond = positions[0] >= self.until
            self.reach(positions[-1])
        return self.progress

    def ended(self) -> Progress:
        """Move `reached` to the end of the window."""
        self.reach(self.until)
        return self.progress

    def reach(self, position: int) -> None:
        """Move `reached` to this position, but not past the end or a position that is held."""
        held = position if self.held is None else self.held
        self.reached = max(self.reached, min(position, self.until, held))

    def hold(self, position: int) -> None:
        """Move `reached` back to the lowest row that has to be read again."""
        self.held = position if self.held is None else min(position, self.held)
        self.reached = min(self.reached, self.held)

    def late(self, position: int) -> str:  # noqa: ARG002 - everything here is
        """Empty: lateness is not counted here."""
        return ""

    def prune_before(self) -> int | None:
        """None: all keys are kept."""
        return None
