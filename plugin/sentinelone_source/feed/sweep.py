"""A sweep, as decisions: where it begins, which records are new, how far the feed is complete.

The console's clock orders the records; ours only measures how much time has passed.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sentinelone_source.feed.progress import LOWEST, Plan, Progress
from sentinelone_source.feed.reading import Reading
from sentinelone_source.times import SECOND

_LONGEST = 86_400 * SECOND
"""A longer time between two sweeps is not believed: our clock was probably set meanwhile."""


class Sweep(Reading):
    """A reading from the overlap, or from the start of a re-scan, up to the console's present.

    The last complete sweep began `passed` ago, and the last re-scan `rested`; None if this process
    saw none.

    Attributes:
        now: our clock when the sweep began.
        signpost: the console's clock when the sweep began; None before the first answer, and if
            the console sends no `Date`.
        rescan: whether records are read again to find changed versions.
        first: whether the feed has never been swept to its end.
    """

    def __init__(
        self,
        plan: Plan,
        progress: Progress,
        now: int,
        passed: int | None = None,
        rested: int | None = None,
    ) -> None:
        super().__init__(None, None, progress)
        self._plan = plan
        self.now = now
        self._passed = _since(progress.swept_at, now) if passed is None else passed
        self._answered = False
        self.signpost: int | None = None
        self.first = progress.swept_at is None
        if progress.watermark is None and self.first:
            self._progress = replace(progress, origin=plan.origin(now))
        rested = _since(progress.rescanned_at, now) if rested is None else rested
        due = rested is None or not 0 <= rested < plan.rescan_interval  # < 0: our clock was wrong
        self.rescan = plan.rescan > 0 and due
        self.start = self._start(now)

    @property
    def kind(self) -> str:
        """The kind of sweep, as the log names it."""
        return "first" if self.first else "rescan" if self.rescan else "regular"

    def accept_clock(self, console_clock: int | None) -> bool:
        """Take the console's clock at the first answer as signpost.

        False if the sweep has to begin again from an earlier `start`: the console's clock went back
        by more than the overlap since the last sweep, or ours is ahead of it by more than that.
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
            self._note(origin=plan.origin(console_clock))
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
        self._note(rechecked=plan.rechecked(self.progress, clock))
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

    def late(self, position: int) -> str:
        """The overlap in seconds if a row became visible after its position had been passed."""
        before = self._before.watermark
        on_time = self.rescan or self.first or before is None or position >= before
        return "" if on_time else f"{self._plan.overlap // SECOND}"

    def _move_on(self, positions: list[int]) -> None:  # noqa: ARG002 - the last one is known
        if self.ordered and self._last > LOWEST:
            self._advance(self._last)
        self._forget()

    def hold(self, position: int) -> None:
        """Move the watermark back if need be, so that a row at this position is read again."""
        super().hold(position)
        watermark = self.progress.watermark
        if watermark is not None and position < watermark:
            self._note(watermark=position)

    def complete(self) -> Progress:
        """Note that everything up to the signpost has been read; returns the new progress."""
        reached = self._highest if self.signpost is None else self.signpost
        if reached > LOWEST:
            self._advance(reached)
        progress = self.progress
        if not progress.rechecked and progress.watermark is not None:
            self._note(rechecked=self._plan.rechecked(progress, progress.watermark))
        forgotten = progress.forgotten
        if forgotten is not None and (self.start is None or self.start < forgotten):
            forgotten = self.start
        self._note(signpost=self.signpost, swept_at=self.now, forgotten=forgotten)
        if self.rescan:
            self._note(rescanned_at=self.now)
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
            self._note(watermark=position)

    def _forget(self) -> None:
        before, forgotten = self.prune_before(), self.progress.forgotten
        if before is not None and (forgotten is None or before > forgotten):
            self._note(forgotten=before)

    def _note(self, **news: Any) -> None:
        self._progress = replace(self._progress, **news)


def _since(moment: int | None, now: int) -> int | None:
    return None if moment is None else now - moment
