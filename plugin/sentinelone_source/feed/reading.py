"""A reading decides which positions are asked for, which records are new, and where it ends.

It uses no network and no disk: `reader` does, and tells it each page. All positions and moments are
microseconds since 1970. `sweep` has the reading that goes up to the present; here are the others.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from sentinelone_source.feed.progress import LOWEST, Plan, Progress
from sentinelone_source.times import SECOND


class Reading:
    """Positions that are read once, in ascending order.

    Attributes:
        start: the first position to ask for; None for everything there is.
        until: the end of what is asked for, exclusive; None asks for all.
        ordered: whether all records of this pass came in ascending order so far.
        held: the lowest position of a row that was refused for now; it has to be read again.
        nearly_beyond: whether the next page may be the last one that is needed.
        beyond: whether the last page lay wholly beyond the end, so that the reading is complete.
    """

    def __init__(self, start: int | None, until: int | None, progress: Progress) -> None:
        self.start, self.until = start, until
        self.held: int | None = None
        self._before = self._progress = progress
        self.begin_pass(is_last=True)

    def begin_pass(self, *, is_last: bool) -> None:
        """Read from the start; several passes are needed if no single query shows all records.

        A pass that another one follows leaves the progress as it is. So after a crash between two
        passes the first is read again, and no record of the second is lost.
        """
        self._is_last_pass = is_last
        self._last = self._highest = LOWEST
        self.ordered = True
        self.nearly_beyond = self.beyond = False

    @property
    def progress(self) -> Progress:
        """How far the feed is complete, with what has been read so far."""
        return self._progress

    @property
    def asked_from(self) -> int:
        """The first position that was asked for; earlier records do not belong to this reading."""
        return LOWEST if self.start is None else self.start

    @property
    def wanted_from(self) -> int:
        """Rows from this position on are handed over if they are not known."""
        return self.asked_from

    @property
    def mostly_known(self) -> bool:
        """Whether most records of the next page have probably been handed over."""
        return False

    @property
    def end(self) -> int:
        """The last position that is needed: a page wholly after it ends the reading."""
        raise NotImplementedError

    def accept_clock(self, console_clock: int | None) -> bool:  # noqa: ARG002 - a sweep needs it
        """Take the console's clock at each answer; False if `start` moved back: read from there."""
        return True

    def add_page(self, positions: list[int]) -> Progress:
        """Take the positions of a page that was handed over; returns the new progress."""
        if positions:
            in_order = positions[0] >= self._last and positions == sorted(positions)
            self.ordered = self.ordered and in_order
            self._last = positions[-1]
            self._highest = max(self._highest, *positions)
            self.nearly_beyond = self.ordered and self._highest > self.end
            self.beyond = self.ordered and positions[0] > self.end
        if self._is_last_pass:
            self._move_on(positions)
        return self.progress

    def _move_on(self, positions: list[int]) -> None:
        """Move the progress on after a page of the last pass."""
        raise NotImplementedError

    def hold(self, position: int) -> None:
        """Note that a row at this position was refused for now, and has to be read again."""
        self.held = position if self.held is None else min(position, self.held)

    def complete(self) -> Progress:
        """Note that everything has been read; returns the new progress."""
        raise NotImplementedError

    def late(self, position: int) -> str:  # noqa: ARG002 - a sweep needs it
        """The age, in seconds, at which a late row at this position was found; empty if on time."""
        return ""

    def prune_before(self) -> int | None:
        """The position before which keys are no longer needed; None keeps all."""
        return None


class Window(Reading):
    """Positions from `start` to before `until`, all of them in the past.

    Attributes:
        reached: every position before this one has been read.
    """

    until: int

    def __init__(self, start: int | None, until: int, progress: Progress) -> None:
        super().__init__(start, until, progress)
        self.reached = self.asked_from

    @property
    def end(self) -> int:
        """The last position."""
        return self.until - 1

    def _move_on(self, positions: list[int]) -> None:
        if positions and self.ordered:
            self.reach(positions[-1])

    def complete(self) -> Progress:
        """Move `reached` to the end of the window."""
        self.reach(self.until)
        return self.progress

    def reach(self, position: int) -> None:
        """Move `reached` to this position, but not past the end or a position that is held."""
        held = position if self.held is None else self.held
        self.reached = max(self.reached, min(position, self.until, held))

    def hold(self, position: int) -> None:
        """Move `reached` back to the lowest row that has to be read again."""
        super().hold(position)
        self.reached = min(self.reached, position)


class Recheck(Window):
    """Reads the positions that have reached an age since the last recheck at that age.

    So it finds late records.

    Args:
        age: one of the plan's ages.
        clock: the console's clock.
        over: whether the next sweep is due, so that the recheck has to stop.
    """

    mostly_known = True

    def __init__(
        self, plan: Plan, progress: Progress, age: int, clock: int, over: Callable[[], bool]
    ) -> None:
        super().__init__(dict(progress.rechecked)[age], clock - age, progress)
        self._plan = plan
        self._age = age
        self._over = over
        self._overtaken = self._cut_short = False

    @property
    def progress(self) -> Progress:
        """The progress of the feed, with the position that this recheck has reached."""
        ages = dict(self._before.rechecked) | {self._age: self.reached}
        return replace(self._before, rechecked=tuple(ages.items()))

    @property
    def wanted_from(self) -> int:
        """The first position whose keys the state holds: older rows may have been handed over."""
        return max(self.asked_from, self._before.forgotten or LOWEST)

    def accept_clock(self, console_clock: int | None) -> bool:
        """Move the end back if the console's clock shows that it has not reached the age."""
        if console_clock is not None:
            self.until = min(self.until, console_clock + self._plan.present - self._age)
        return True

    def _move_on(self, positions: list[int]) -> None:
        """Move `reached`, and stop if a sweep is due and `reached` has moved at all."""
        super()._move_on(positions)
        self._cut_short = self._overtaken and self.reached > self.asked_from
        self._overtaken = self._overtaken or self._over()
        self.nearly_beyond |= self._overtaken
        self.beyond |= self._cut_short

    def complete(self) -> Progress:
        """Move `reached` to the end, unless the recheck was stopped early."""
        return self.progress if self._cut_short else super().complete()

    def late(self, position: int) -> str:  # noqa: ARG002 - whatever is new here
        """The age in seconds: every new row of a recheck became visible late."""
        return f"{self._age // SECOND}"
