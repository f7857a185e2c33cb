"""A sweep, as decisions: where it begins, which records are new, how far the feed is complete.

It uses no network and no disk: `reader` does, and tells it each page. All moments are microseconds
since 1970. The console's clock orders the records; ours only measures how much time has passed.
"""

from __future__ import annotations

from dataclasses import replace

from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.reading import LOWEST
from sentinelone_source.times import SECOND

_LONGEST = 86_400 * SECOND
"""A longer time between two sweeps is not believed: our clock was probably set meanwhile."""


class Sweep:
    """A reading from the overlap, or from the start of a re-scan, up to the console's present.

    Args:
        plan: how the feed is swept.
        progress: how far the feed was complete before.
        now: our clock.
        passed: time since the last complete sweep began; None if this process saw none.
        rested: time since the last complete re-scan began; None if this process saw none.

    Attributes:
        start: the first position to ask for; None for everything there is.
        until: always None; a sweep has no end in its request.
        progress: how far the feed is complete.
        now: our clock when the sweep began.
        signpost: the console's clock when the sweep began; None before the first answer, and if
            the console sends no `Date`.
        rescan: whether records are read again to find changed versions.
        first: whether the feed has never been swept to its end.
        ordered: whether all records came in ascending order so far.
        held: the watermark stays at or before this position: a row there must be read again.
        beyond: the last page lay wholly beyond the console's present, and beyond what has been
            forgotten: there the sweep ends.
        nearly_beyond: a position there has come: the next page may be the end.
    """

    def __init__(
        self,
        plan: Plan,
        progress: Progress,
        now: int,
        passed: int | None = None,
        rested: int | None = None,
    ) -> None:
        self._plan = plan
        self._before = progress
        self.now = now
        self._passed = _since(progress.swept_at, now) if passed is None else passed
        self.until: int | None = None
        self._last: int | None = None
        self._highest = LOWEST
        self._answered = False
        self.signpost: int | None = None
        self.first = progress.swept_at is None
        self.ordered = True
        self.held: int | None = None
        self.beyond = self.nearly_beyond = False
        if progress.watermark is None and self.first:
            progress = replace(progress, origin=plan.origin(now))
        self.progress = progress
        rested = _since(progress.rescanned_at, now) if rested is None else rested
        due = rested is None or not 0 <= rested < plan.rescan_interval  # below 0: our clock was off
        self.rescan = plan.rescan > 0 and due
        self.start = self._start(now)

    @property
    def kind(self) -> str:
        """The kind of sweep, as the log names it."""
        return "first" if self.first else "rescan" if self.rescan else "regular"

    def began(self, console_clock: int | None) -> bool:
        """Take the console's clock at the first answer as signpost.

        Returns:
            False if the sweep has to begin again from an earlier `start`. Either the console's
            clock went back by more than the overlap since the last sweep, or our clock is ahead of
            it by more than the overlap.
        """
        if self._answered:
            return True
        self._answered = True
        self.signpost = console_clock
        before, plan = self._before, self._plan
        clock = before.watermark if console_clock is None else console_clock
        if clock is None:
            return True
        if console_clock is not None and before.watermark is None and self.first:
            self.progress = replace(self.progress, origin=plan.origin(console_clock))
        start = self.start
        if start is not None and self.now - clock > plan.overlap:
            start = min(start, self._start(clock) or start)
        if start is not None and console_clock is not None and before.signpost is not None:
            passed = min(max(0, self._passed or 0), _LONGEST)
            went_back = before.signpost + passed - console_clock
            if went_back > plan.present:
                clock = console_clock - passed
            if went_back > plan.overlap:
                start = min(start, clock - plan.overlap)
        self.progress = replace(self.progress, rechecked=plan.rechecked(self.progress, clock))
        begins_again = start != self.start
        self.start = start
        return not begins_again

    @property
    def mostly_known(self) -> bool:
        """Whether the sweep is still at positions that were read before."""
        return self._highest < (self._before.watermark or LOWEST)

    @property
    def wanted_from(self) -> int:
        """Rows from this position on are handed over if they are not known.

        Earlier rows are not handed over, for one of three reasons: they lie before what was asked
        for; their keys may have been forgotten, so they may have been handed over; or they are
        older than the start of a feed whose first sweep reads further back. Rows of the last two
        kinds are remembered, so that a later change of them is found.
        """
        floors = [self.asked_from]
        if self.progress.forgotten is not None:
            floors.append(self.progress.forgotten)
        if self.first and self.progress.origin is not None:
            floors.append(self.progress.origin)
        return max(floors)

    @property
    def asked_from(self) -> int:
        """The first position that was asked for; records before it do not belong to this sweep."""
        return LOWEST if self.start is None else self.start

    def late(self, position: int) -> str:
        """The overlap in seconds if a row became visible after its position had been passed."""
        before = self._before.watermark
        on_time = self.rescan or self.first or before is None or position >= before
        return "" if on_time else f"{self._plan.overlap // SECOND}"

    def passed(self, positions: list[int]) -> Progress:
        """Take the positions of a page that was handed over; returns the new progress."""
        for position in positions:
            if self._last is not None and position < self._last:
                self.ordered = False
            self._last = position
        if positions:
            self._highest = max(self._highest, *positions)
            self.nearly_beyond = self.ordered and self._highest > self.end
            self.beyond = self.ordered and positions[0] > self.end
        if self.ordered and self._last is not None:
            self._advance(self._last)
        self._forget()
        return self.progress

    def hold(self, position: int) -> None:
        """Move the watermark back if need be, so that a row at this position is read again."""
        self.held = position if self.held is None else min(position, self.held)
        watermark = self.progress.watermark
        if watermark is not None and position < watermark:
            self.progress = replace(self.progress, watermark=position)

    def ended(self) -> Progress:
        """Note that everything up to the signpost has been read; returns the new progress."""
        reached = self._highest if self.signpost is None else self.signpost
        if reached > LOWEST:
            self._advance(reached)
        progress = self.progress
        if not progress.rechecked and progress.watermark is not None:
            ages = self._plan.rechecked(progress, progress.watermark)
            progress = replace(progress, rechecked=ages)
        forgotten = progress.forgotten
        if forgotten is not None and (self.start is None or self.start < forgotten):
            forgotten = self.start
        self.progress = replace(
            progress,
            signpost=self.signpost,
            swept_at=self.now,
            rescanned_at=self.now if self.rescan else progress.rescanned_at,
            forgotten=forgotten,
        )
        self._forget()
        return self.progress

    def prune_before(self) -> int | None:
        """The position before which no row is read again, unless a clock is set; None keeps all."""
        reached = self.progress.watermark
        if reached is None or self.start is None:
            return None
        past = self._before.swept_at if self._before.swept_at is not None else self.now
        reached = min(reached, self.progress.signpost or reached, past)
        rechecked = [at - 2 * self._plan.overlap for _, at in self.progress.rechecked]
        return min(reached - self._plan.reach, self.start, *rechecked)

    @property
    def end(self) -> int:
        """A page beyond it is not read for this sweep; our clock stands in where there is none.

        What has been forgotten is read to its end, if the sweep began before that: from then on
        all of it is known again.
        """
        if self.signpost is not None:
            reached = self.signpost + self._plan.present
        else:
            reached = max(self.now, self._before.watermark or self.now)
        return max(reached, self.progress.forgotten or LOWEST)

    def _start(self, now: int) -> int | None:
        before, plan, origin_ = self._before, self._plan, self.progress.origin
        if before.watermark is None:
            start = origin_
        else:
            complete = before.watermark
            if before.signpost is not None:
                complete = min(complete, before.signpost)
            start = complete - plan.overlap
            if before.forgotten is not None and before.forgotten > complete - plan.lookback:
                start = min(start, complete - plan.lookback)
            if origin_ is not None:
                start = max(start, origin_)
        if self.rescan and start is not None:
            start = min(start, now - plan.rescan)
        return start

    def _advance(self, position: int) -> None:
        """Move the watermark on, never beyond the signpost."""
        if self.signpost is not None:
            position = min(position, self.signpost)
        if self.held is not None:
            position = min(position, self.held)
        watermark = self.progress.watermark
        if watermark is None or position > watermark:
            self.progress = replace(self.progress, watermark=position)

    def _forget(self) -> None:
        before, forgotten = self.prune_before(), self.progress.forgotten
        if before is not None and (forgotten is None or before > forgotten):
            self.progress = replace(self.progress, forgotten=before)


def _since(moment: int | None, now: int) -> int | None:
    return None if moment is None else now - moment
