"""Rechecks: positions are read again when they reach an age, to find late records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.reading import LOWEST, Window
from sentinelone_source.times import SECOND


class Recheck(Window):
    """Reads the positions that have reached an age since the last recheck at that age.

    Args:
        plan: how the feed is swept.
        progress: how far the feed is complete.
        age: one of the plan's ages, microseconds.
        clock: the console's clock, microseconds.
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

    def began(self, console_clock: int | None) -> bool:
        """Move the end back if the console's clock shows that it has not reached the age."""
        if console_clock is not None:
            self.until = min(self.until, console_clock + self._plan.present - self._age)
        return True

    def passed(self, positions: list[int]) -> Progress:
        """Move `reached`, and stop if a sweep is due and `reached` has moved at all."""
        super().passed(positions)
        self._cut_short = self._overtaken and self.reached > self.asked_from
        self._overtaken = self._overtaken or self._over()
        self.nearly_beyond |= self._overtaken
        self.beyond |= self._cut_short
        return self.progress

    def ended(self) -> Progress:
        """Move `reached` to the end, unless the recheck was stopped early."""
        return self.progress if self._cut_short else super().ended()

    def late(self, position: int) -> str:  # noqa: ARG002 - whatever is new here
        """The age in seconds: every new row of a recheck became visible late."""
        return f"{self._age // SECOND}"
