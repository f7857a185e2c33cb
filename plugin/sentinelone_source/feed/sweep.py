"""One walk through a feed, as decisions: where it begins, what is new, how far it is complete.

No network and no disk in here: `feed` asks and tells. All moments are microseconds since 1970; the
console's clock orders the records, ours only measures how much time has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sentinelone_source.feed.state import Progress
from sentinelone_source.times import SECOND

_LONGEST = 86_400 * SECOND
"""More than this between two sweeps is rather our own clock, set right, than time that passed."""


@dataclass(frozen=True)
class Plan:
    """How a feed is to be swept. Durations are microseconds.

    Attributes:
        start_back: the first sweep begins so long ago; None for everything, or if `start_at` says.
        start_at: the first sweep begins at this position.
        inventory: the first sweep takes everything, whatever the start.
        rescan: so far back records are read again for changed versions; 0 for never.
        rescan_interval: between two such sweeps.
    """

    lookback: int
    start_back: int | None = None
    start_at: int | None = None
    inventory: bool = False
    rescan: int = 0
    rescan_interval: int = 0

    @property
    def reach(self) -> int:
        """How old a record may be that is read again, with room for a clock that is off."""
        return 2 * self.lookback + self.rescan + self.rescan_interval


class Sweep:
    """One walk, in ascending order of position.

    Attributes:
        start: the first position to ask for; None for everything there is.
        rescan: records are read again for changed versions.
        first: the feed has never been swept to its end.
        ordered: every record came in order so far.
        held: the watermark stays at or before this position: a row there is to be read again.
    """

    def __init__(self, plan: Plan, progress: Progress, now: int) -> None:
        self._plan = plan
        self._before = progress
        self._now = now
        self._signpost: int | None = None
        self._last: int | None = None
        self.first = progress.signpost is None
        self.ordered = True
        self.held: int | None = None
        self._origin = progress.origin
        if progress.watermark is None:
            self._origin = origin(plan, now)
        rested = None if progress.rescanned_at is None else now - progress.rescanned_at
        due = rested is None or not 0 <= rested < plan.rescan_interval  # below 0: our clock was off
        self.rescan = plan.rescan > 0 and due
        self.start = self._start(now)
        self.progress = replace(progress, origin=self._origin)

    def began(self, console_clock: int | None) -> bool:
        """Take the console's clock at the first answer as signpost.

        Returns:
            False when `start` is now earlier, and the walk has to begin again: that clock went back
            by more than the look-back since the last sweep, or ours is ahead of it by more.
        """
        if self._signpost is not None:
            return True
        self._signpost = self._now if console_clock is None else console_clock
        before, plan = self._before, self._plan
        if before.watermark is None:
            self._origin = origin(plan, self._signpost)
            self.progress = replace(self.progress, origin=self._origin)
        start = self.start
        if start is not None and self._now - self._signpost > plan.lookback:
            start = min(start, self._start(self._signpost) or start)
        if start is not None and before.signpost is not None and before.swept_at is not None:
            passed = min(max(0, self._now - before.swept_at), _LONGEST)
            if self._signpost < before.signpost + passed - plan.lookback:
                start = min(start, self._signpost - passed - plan.lookback)
        begins_again = start != self.start
        self.start = start
        return not begins_again

    @property
    def signpost(self) -> int:
        """The console's clock when the walk began."""
        return self._now if self._signpost is None else self._signpost

    @property
    def notes(self) -> bool:
        """Whether there can be rows that are only noted, see `wanted`."""
        return self.first and self._origin is not None

    def wanted(self, position: int) -> bool:
        """Whether a row that is new to us is handed over, or only noted.

        The first sweep of a feed with re-scans notes what is older than the feed's start, so that a
        later change of it is seen as one.
        """
        return not self.first or self._origin is None or position >= self._origin

    def late(self, position: int) -> bool:
        """Whether a row became visible only after its position had been passed."""
        before = self._before.watermark
        return not self.rescan and not self.first and before is not None and position < before

    def passed(self, positions: list[int]) -> Progress:
        """How far the feed is complete after a page with these positions."""
        for position in positions:
            if self._last is not None and position < self._last:
                self.ordered = False
            self._last = position
        if self.ordered and self._last is not None:
            self._advance(min(self._last, self.signpost))
        return self.progress

    def hold(self, position: int) -> None:
        """Rows from here on are to be read again; also from before the watermark."""
        self.held = position if self.held is None else min(position, self.held)
        watermark = self.progress.watermark
        if watermark is not None and position < watermark:
            self.progress = replace(self.progress, watermark=position)

    def ended(self) -> Progress:
        """How far the feed is complete now that the console has no more."""
        self._advance(self.signpost)
        rescanned_at = self._now if self.rescan else self.progress.rescanned_at
        self.progress = replace(
            self.progress, signpost=self.signpost, swept_at=self._now, rescanned_at=rescanned_at
        )
        return self.progress

    def forget_before(self) -> int:
        """Rows of earlier positions are not read again, unless a clock is off by a look-back."""
        past = self._before.swept_at if self._before.swept_at is not None else self._now
        reached = self.progress.watermark if self.progress.watermark is not None else past
        return min(reached, self.progress.signpost or reached, past) - self._plan.reach

    def _start(self, now: int) -> int | None:
        before, plan = self._before, self._plan
        if before.watermark is None:
            start = self._origin
        else:
            complete = before.watermark
            if before.signpost is not None:
                complete = min(complete, before.signpost)
            start = complete - plan.lookback
            if self._origin is not None:
                start = max(start, self._origin)
        if self.rescan and start is not None:
            start = min(start, now - plan.rescan)
        return start

    def _advance(self, position: int) -> None:
        watermark = self.progress.watermark
        if self.held is not None:
            position = min(position, self.held)
        if watermark is None or position > watermark:
            self.progress = replace(self.progress, watermark=position)


def origin(plan: Plan, now: int) -> int | None:
    """Where a first sweep begins; None when it takes everything there is."""
    if plan.inventory:
        return None
    if plan.start_at is not None:
        return plan.start_at
    return None if plan.start_back is None else now - plan.start_back
