"""How a feed is to be swept, and how far it is complete.

Moments, positions and durations are microseconds; moments and positions count from 1970.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from sentinelone_source.times import SECOND

LOWEST = -(1 << 63)
"""A position before all others."""
ENDLESS = 1 << 62
"""A position after all others."""
SHORTEST_OVERLAP = 10 * SECOND
OVERDUE = 30.0
"""Seconds that a sweep may take, or come late, before its feed counts as behind; never more than
the interval."""
_STEP = 20
"""Each age is at most this many times the one before."""
_SHARE = 15
"""A recheck is due when a position exceeds the age by a fifteenth. So there is time to read it
before it exceeds the age by a tenth."""


class Progress(msgspec.Struct, frozen=True):
    """How far a feed is complete.

    Attributes:
        watermark: the position up to which the feed is complete; None before the first page.
        origin: where the first sweep began; None when it took everything there was.
        signpost: the console's clock when the last complete sweep began; None before one ended.
        swept_at: our clock when that sweep began.
        rescanned_at: our clock when the last complete re-scan began.
        forgotten: keys of earlier positions have been deleted; None if none has been.
        rechecked: pairs of an age and the position up to which everything has been read at that
            age or later.
    """

    watermark: int | None = None
    origin: int | None = None
    signpost: int | None = None
    swept_at: int | None = None
    rescanned_at: int | None = None
    forgotten: int | None = None
    rechecked: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Progress:
        """From the state's columns, in the order of the attributes."""
        *moments, rechecked = row
        ages = tuple((age, at) for age, at in json.loads(rechecked))
        return replace(cls(*moments), rechecked=ages)

    def row(self) -> tuple[int | str | None, ...]:
        """The state's columns."""
        *moments, rechecked = astuple(self)
        return *moments, json.dumps(rechecked)

    def next_due(self) -> dict[int, int]:
        """By age, the moment at which its next recheck is due, by the console's clock."""
        return {age: at + age + age // _SHARE for age, at in self.rechecked}


class Plan(msgspec.Struct, frozen=True):
    """How a feed is to be swept.

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
        interval: the time from the end of a sweep to the next.
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
    interval: int = 0

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

    def origin(self, now: int) -> int | None:
        """The position at which a first sweep begins; None if it takes everything."""
        if self.inventory:
            return None
        if self.start_at is not None:
            return self.start_at
        return None if self.start_back is None else now - self.start_back

    def rechecked(self, progress: Progress, clock: int) -> tuple[tuple[int, int], ...]:
        """Each age with the position up to which everything has been read at that age or later.

        A new age takes the position of a greater one, else the position that reaches the age now.
        Each position is at least the origin, and by the console's clock has reached the age.
        """
        origin = LOWEST if progress.origin is None else progress.origin
        found = []
        for age in self.ages:
            so_far = (at for other, at in progress.rechecked if other >= age)
            youngest = clock - age
            found.append((age, max(origin, min(max(so_far, default=youngest), youngest))))
        return tuple(found)

    def seconds_behind(self, progress: Progress, made: int, now: int) -> float:
        """How long ago a feed was complete, in seconds, by our clock now.

        The process `made` the feed at that time of our clock. The last complete sweep shows how the
        console's clock differs.
        """
        ahead = 0
        if progress.signpost is not None and progress.swept_at is not None:
            ahead = progress.signpost - progress.swept_at
        complete = progress.watermark
        if complete is None:  # nothing yet: behind by all that the first sweep will read
            start = self.origin(made)
            complete = made if start is None else start
        return max(0.0, (now + ahead - complete) / SECOND)
