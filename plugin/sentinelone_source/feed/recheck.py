"""Readings of the past: a window of positions, and a recheck, which finds late records."""

from __future__ import annotations

from msgspec.structs import replace

from sentinelone_source.feed.progress import LOWEST, Plan, Progress
from sentinelone_source.feed.reading import Reading
from sentinelone_source.times import SECOND


class Window(Reading):
    """Positions from `start` to before `until`, in the past; all before `reached` were read."""

    until: int

    def __init__(self, start: int | None, until: int, progress: Progress) -> None:
        super().__init__(start, until, progress)
        self.reached = self.asked_from

    @property
    def end(self) -> int:
        return self.until - 1

    def _move_on(self, positions: list[int]) -> None:
        if positions and self.ordered:
            self.reach(positions[-1])

    def complete(self) -> Progress:
        self.reach(self.until)
        return self.progress

    def reach(self, position: int) -> None:
        """Move `reached` to this position, but not past the end or a position that is held."""
        held = position if self.held is None else self.held
        self.reached = max(self.reached, min(position, self.until, held))

    def hold(self, position: int) -> None:
        super().hold(position)
        self.reached = min(self.reached, position)


class Recheck(Window):
    """Reads the positions that have reached an age since the last recheck at that age.

    So it finds late records. The age is one of the plan's, by the console's clock.
    """

    mostly_known = True

    def __init__(self, plan: Plan, progress: Progress, age: int, clock: int) -> None:
        super().__init__(dict(progress.rechecked)[age], clock - age, progress)
        self._plan = plan
        self._age = age
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
        super()._move_on(positions)
        self._cut_short = self._overtaken and self.reached > self.asked_from
        self.nearly_beyond |= self._overtaken
        self.beyond |= self._cut_short

    def overtake(self) -> None:
        """Stop after one more page, or as soon as `reached` has moved at all."""
        self._overtaken = self.nearly_beyond = True

    def complete(self) -> Progress:
        """Move `reached` to the end, unless the recheck was stopped early."""
        return self.progress if self._cut_short else super().complete()

    def late(self, position: int) -> str:  # noqa: ARG002 - whatever is new here
        """The age in seconds: every new row of a recheck became visible late."""
        return f"{self._age // SECOND}"
