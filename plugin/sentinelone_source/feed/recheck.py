"""Reading again what has reached a certain age, for records that became visible late."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from sentinelone_source.feed.plan import Plan
from sentinelone_source.feed.reading import LOWEST, Window
from sentinelone_source.feed.state.progress import Progress
from sentinelone_source.times import SECOND

_SHARE = 15
"""A position is read again before it exceeds the age by a tenth. It is to be when it does by a
fifteenth, which leaves time for the reading."""


def rechecked(progress: Progress, ages: Iterable[int], clock: int) -> tuple[tuple[int, int], ...]:
    """How far everything has been read at each age, as far as that can be by this clock.

    What was read at a greater age counts for a smaller one. A new age begins with what is younger
    now. Nothing lies before the origin.
    """
    origin = LOWEST if progress.origin is None else progress.origin
    found = []
    for age in ages:
        so_far = (at for other, at in progress.rechecked if other >= age)
        youngest = clock - age
        found.append((age, max(origin, min(max(so_far, default=youngest), youngest))))
    return tuple(found)


def next_due(progress: Progress) -> dict[int, int]:
    """By age, the moment from which on positions are to be read again."""
    return {age: at + age + age // _SHARE for age, at in progress.rechecked}


class Recheck(Window):
    """All positions that have reached an age since it was last reached.

    Args:
        plan: how the feed is swept.
        progress: how far it has come.
        age: of the plan's.
        clock: the console's.
        over: whether the next sweep is due: the reading is then cut short.
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
        """How far the feed is complete."""
        ages = dict(self._before.rechecked) | {self._age: self.reached}
        return replace(self._before, rechecked=tuple(ages.items()))

    @property
    def wanted_from(self) -> int:
        """What has been forgotten cannot be told from what was handed over."""
        return max(self.asked_from, self._before.forgotten or LOWEST)

    def began(self, console_clock: int | None) -> bool:
        """A position counts as read again only if it has reached the age by the console's clock."""
        if console_clock is not None:
            self.until = min(self.until, console_clock + self._plan.present - self._age)
        return True

    def passed(self, positions: list[int]) -> Progress:
        """Move on, and end early if a sweep is due and there is something to keep."""
        super().passed(positions)
        self._cut_short = self._overtaken and self.reached > self.asked_from
        self._overtaken = self._overtaken or self._over()
        self.nearly_beyond |= self._overtaken
        self.beyond |= self._cut_short
        return self.progress

    def ended(self) -> Progress:
        """Everything has been read, unless it was cut short."""
        return self.progress if self._cut_short else super().ended()

    def late(self, position: int) -> str:  # noqa: ARG002 - whatever is new here
        """Everything that is new here became visible late."""
        return f"{self._age // SECOND}"
