"""How a feed is to be swept, and how far behind it is."""

from __future__ import annotations

from dataclasses import dataclass

from sentinelone_source.feed.state.progress import Progress
from sentinelone_source.times import SECOND

SHORTEST_OVERLAP = 10 * SECOND
_STEP = 20
"""An age is at most so many times the one before."""
OVERDUE = 30.0
"""Seconds that a sweep may take, or come late, before its feed counts as behind; never more than
the interval."""


@dataclass(frozen=True)
class Plan:
    """How a feed is to be swept. Durations are microseconds.

    Attributes:
        lookback: a record that becomes visible so late is still collected.
        overlap: a sweep begins so long before the watermark: one interval, at least 10 seconds.
        remember: keys of rows are kept at least so long.
        start_back: the first sweep begins so long ago; None for everything, or if `start_at` says.
        start_at: the first sweep begins at this position.
        inventory: the first sweep takes everything, whatever the start.
        rescan: so far back records are read again for changed versions; 0 for never.
        rescan_interval: between two such sweeps.
        present: the console's present lies at most so long after the signpost: a `Date` has whole
            seconds, and the time that the request took is taken off it.
        heartbeat: a row that repeats the last one of its id is handed over only if that is so much
            older; 0 hands over every row.
    """

    lookback: int
    overlap: int = SHORTEST_OVERLAP
    remember: int = 0
    start_back: int | None = None
    start_at: int | None = None
    inventory: bool = False
    rescan: int = 0
    rescan_interval: int = 0
    present: int = 2 * SECOND
    heartbeat: int = 0

    @property
    def ages(self) -> tuple[int, ...]:
        """At which a position is read again, after the sweeps that it lies in.

        A ladder from the overlap to the look-back, each age 20 times the one before at most.
        """
        steps: list[int] = []
        while (age := self.overlap * _STEP ** (len(steps) + 1)) < self.lookback:
            steps.append(age)
        return (*steps, self.lookback) if self.lookback > self.overlap else ()

    @property
    def reach(self) -> int:
        """How old a record may be that is read again, with room for rows that are to wait."""
        longest = max(self.lookback, self.remember, self.rescan + self.rescan_interval)
        return longest + 2 * self.overlap


def origin(plan: Plan, now: int) -> int | None:
    """Where a first sweep begins; None when it takes everything there is."""
    if plan.inventory:
        return None
    if plan.start_at is not None:
        return plan.start_at
    return None if plan.start_back is None else now - plan.start_back


def seconds_behind(plan: Plan, progress: Progress, made: int, now: int) -> float:
    """The age of what a feed is complete up to.

    Args:
        plan: of the feed.
        progress: as far as rows were handed over.
        made: when this process began with the feed, microseconds of our clock.
        now: microseconds of our clock; the console's is reckoned from the last complete sweep.
    """
    ahead = 0
    if progress.signpost is not None and progress.swept_at is not None:
        ahead = progress.signpost - progress.swept_at
    complete = progress.watermark
    if complete is None:  # nothing yet: behind by what the first sweep is to fetch
        start = origin(plan, made)
        complete = made if start is None else start
    return max(0.0, (now + ahead - complete) / SECOND)
