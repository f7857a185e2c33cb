"""A reading of positions, as decisions: what is asked for, what is new, and where it ends.

No network and no disk in here: `reader` asks and tells. All moments are microseconds since 1970.
"""

from __future__ import annotations

from typing import Protocol

from sentinelone_source.feed.state.progress import Progress

LOWEST = -(1 << 63)
"""Before every position."""


class Reading(Protocol):
    """Positions that are read once, in ascending order.

    Attributes:
        start: the first position to ask for; None for everything there is.
        until: positions from here on are not asked for; None asks for all.
        held: a row at this position was refused for now, and is to be read again.
        nearly_beyond: the next page may be the last one that is needed.
        beyond: the last page lay wholly beyond the end, so no other page is needed.
    """

    start: int | None
    held: int | None
    nearly_beyond: bool
    beyond: bool

    @property
    def until(self) -> int | None: ...

    @property
    def progress(self) -> Progress:
        """How far the feed is complete by what has been read."""

    @property
    def asked_from(self) -> int:
        """The first position that was asked for."""

    @property
    def mostly_known(self) -> bool:
        """Whether most records of the next page have probably been handed over."""

    @property
    def wanted_from(self) -> int:
        """A row from this position on is handed over if it is not known."""

    @property
    def end(self) -> int:
        """A page that lies wholly behind this position is not needed."""

    def began(self, console_clock: int | None) -> bool:
        """Take the console's clock at each answer; False when `start` is now earlier."""

    def passed(self, positions: list[int]) -> Progress:
        """How far the feed is complete after a page with these positions."""

    def hold(self, position: int) -> None:
        """A row was refused for now: it is to be read again."""

    def ended(self) -> Progress:
        """How far the feed is complete now that everything has been read."""

    def late(self, position: int) -> str:
        """At which age, in seconds, a row was found that became visible late; empty if on time."""

    def prune_before(self) -> int | None:
        """Keys of earlier positions will not be asked for again; None forgets none."""


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
        """Of the feed: a window of its own changes nothing of it."""
        return self._before

    @property
    def asked_from(self) -> int:
        """The first position."""
        return LOWEST if self.start is None else self.start

    @property
    def wanted_from(self) -> int:
        """Rows from here on are handed over if they are not known."""
        return self.asked_from

    @property
    def end(self) -> int:
        """The last position."""
        assert self.until is not None
        return self.until - 1

    def began(self, console_clock: int | None) -> bool:  # noqa: ARG002 - the past stays as it is
        """The window is the same whatever the console's clock says."""
        return True

    def passed(self, positions: list[int]) -> Progress:
        """Move on to the last position of a page, if the records come in order."""
        for position in positions:
            self._ordered &= position >= self._last
            self._last = position
        if positions and self._ordered:
            self.nearly_beyond = positions[-1] >= self.until
            self.beyond = positions[0] >= self.until
            self.reach(positions[-1])
        return self.progress

    def ended(self) -> Progress:
        """The window has been read to its end."""
        self.reach(self.until)
        return self.progress

    def reach(self, position: int) -> None:
        """Everything before this position has been read, unless a row before it is held."""
        held = position if self.held is None else self.held
        self.reached = max(self.reached, min(position, self.until, held))

    def hold(self, position: int) -> None:
        """A row is to be read again."""
        self.held = position if self.held is None else min(position, self.held)
        self.reached = min(self.reached, self.held)

    def late(self, position: int) -> str:  # noqa: ARG002 - everything here is
        """Not told of the past."""
        return ""

    def prune_before(self) -> int | None:
        """Nothing is forgotten."""
        return None
