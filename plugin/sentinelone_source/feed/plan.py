"""How a feed is to be swept, and how far behind it is."""

from __future__ import annotations

from dataclasses import dataclass

from sentinelone_source.feed.state.progress import Progress
from sentinelone_source.times import SECOND

SHORTEST_OVERLAP = 10 * SECOND
_STEP = 20
"""Each age is at most this many times the one before."""
OVERDUE = 30.0
"""Seconds that a sweep may take, or come late, before its feed counts as behind; never more than
the interval."""


@dataclass(frozen=True)
class Plan:
    """How a feed is to be swept. Durations are microseconds.

    Attributes:
        lookback: the greatest lateness at which a record is still collected.
        overlap: how long before the watermark a sweep begins: one interval, at least 10 seconds.
        remember: the shortest time that keys of rows are kept.
        start_back: how long ago the first sweep begins; None for everything, or with `start_at`.
        start_at: the position at which the first sweep begins; None if `start_back` is used.
        inventory: whether the first sweep takes everything, whatever the start.
        rescan: how far back records are read again to find changed versions; 0 for never.
        rescan_interval: the time between two re-scans.
        present: the console's present is at most this long after the signpost, because a `Date` has
            whole seconds and the duration of the request is subtracted from it.
        heartbeat: a row that repeats the last row of its id is handed over only if it is newer by
            this time; 0 hands over every row.
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
        """The ages at which a position is read again, in ascending order.

        They are 20 times the overlap, 400 times the overlap and so on, while that is less than the
        look-back, and then the look-back. There is none if the overlap covers the look-back.
        """
        steps: list[int] = []
        while (age := self.overlap * _STEP ** (len(steps) + 1)) < self.lookback:
            steps.append(age)
        return (*steps, self.lookback) if self.lookback > self.overlap else ()

    @property
    def reach(self) -> int:
        """The greatest age at which a record is read again, with a margin for rows that wait."""
        longest = max(self.lookback, self.remember, self.rescan + self.rescan_interval)
        return longest + 2 * self.overlap


def origin(plan: Plan, now: int) -> int | None:
    """The position at which a first sweep begins; None if it takes everything."""
    if plan.inventory:
        return None
    if plan.start_at is not None:
        return plan.start_at
    return None if plan.start_back is None else now - plan.start_back


def seconds_behind(plan: Plan, progress: Progress, made: int, now: int) -> float:
    """How long ago a feed was complete, in seconds.

    Args:
        plan: of the feed.
        progress: up to the last page that was handed over.
        made: when this process began with the feed, in microseconds of our clock.
        now: our clock, microseconds. The last complete sweep shows how the console's clock differs.
    """
    ahead = 0
    if progress.signpost is not None and progress.swept_at is not None:
        ahead = progress.signpost - progress.swept_at
    complete = progress.watermark
    if complete is None:  # nothing yet: behind by what the first sweep is to fetch
        start = origin(plan, made)
        complete = made if start is None else start
    return max(0.0, (now + ahead - complete) / SECOND)
