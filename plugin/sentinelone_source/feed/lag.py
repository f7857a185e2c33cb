"""How far a feed is behind: a number that grows while something is wrong, and is 0 when idle."""

from __future__ import annotations

from sentinelone_source.feed.state import Progress
from sentinelone_source.feed.sweep import Plan, origin
from sentinelone_source.times import SECOND

OVERDUE = 30.0
"""Seconds that a sweep may take, or come late, before its feed counts as behind; never more than
the interval."""


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
