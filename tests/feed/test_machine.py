"""Sweeps over a living console, with crashes between any two steps and clocks that jump."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from msgspec.structs import replace

from sentinelone_source.feed.progress import Plan
from sentinelone_source.feed.recheck import Recheck
from sentinelone_source.feed.sweep import Sweep
from support.clocks import (
    HEARTBEAT,
    INDEX,
    JUMPS,
    LATENESS,
    LIMITS,
    LOOKBACK,
    OVERLAP,
    PASSING,
    RESCAN,
    START_BACK,
)
from support.modelconsole import ModelConsole, Version
from support.poller import Begun, ModelPoller, Settled

NOTHING = -(1 << 63)


class Sweeps(RuleBasedStateMachine):
    """An ordinary feed: a change gives a record a new position.

    What must hold, for any interleaving:

    * A version is promised by the complete sweep that began after it became visible and passed its
      position, if that is not further back than the overlap from the signpost of the sweep
      before. Where the console's clock was seen to go back, that signpost
      went back with it. The first sweep promises what is not older than the start, by the
      console's clock. Where the console tells no time, the last position seen is the signpost.
    * What became visible within the look-back is handed over when the age that covers it is
      exceeded by a tenth, in any reading that begins then. A recheck hands over all that it reads.
    * Everything promised is handed over, or was noted: because it is older than the start, or than
      what has been forgotten; and what a complete sweep has noted is not forgotten.
    * Nothing settled is handed over again: no crash, no clock and no other look-back does it.
    * The watermark never goes back, and never passes a signpost.
    """

    plan: ClassVar = Plan(lookback=LOOKBACK, overlap=OVERLAP, start_back=START_BACK, present=0)
    moves: ClassVar = True

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.console = ModelConsole(moves=self.moves)
        self.ahead = 0
        self.retreats = 0
        self.highest: int | None = None
        self.forgotten = self.settled_forgotten = NOTHING
        self.handed: set[Version] = set()
        self.settled: set[Version] = set()
        self.attempts: list[Begun] = []
        self.before: Begun | None = None
        self.settled_before: Begun | None = None
        self.latest_signpost = 0
        self.at_once = False
        self.begun: Begun | None = None
        self.recheck: Sweep | Recheck | None = None
        self.recheck_begun = 0
        self.went_back = False
        self.poller = self._start(self.plan)

    @initialize(at_once=st.booleans(), dated=st.booleans(), bounded=st.booleans())
    def begins(self, at_once: bool, dated: bool, bounded: bool) -> None:
        self.at_once = at_once
        self.console.dated, self.console.bounded = dated, bounded
        self.poller.close()
        self.poller = self._start(self.plan)

    def _start(self, plan: Plan) -> ModelPoller:
        ahead = lambda: self.ahead  # noqa: E731
        return ModelPoller(self.folder, plan, self.console, ahead, at_once=self.at_once)

    @property
    def now(self) -> int:
        return self.console.time + self.ahead

    # What happens in the tenant, and to the clocks.

    @rule(what=st.sampled_from(["create", "update", "delete"]), late=LATENESS, index=INDEX)
    def something_happens(self, what: str, late: int, index: int) -> None:
        if what == "create":
            self.console.create(late)
        elif what == "update":
            self.console.update(index, late)
        else:
            self.console.delete(index)
        before, plan = self.settled_before, self.poller.plan
        first = [before] if before else self.attempts
        for version in self.console.shown.values():
            if version.since == self.console.events:
                version.lookback = min([plan.lookback, *(one.lookback for one in first)])
                version.retreats = first[0].retreats if first else self.retreats

    @rule(by=PASSING)
    def time_passes(self, by: int) -> None:
        self.console.time += by

    @rule(by=JUMPS, ours=st.booleans())
    def clock_jumps(self, by: int, ours: bool) -> None:
        if ours:
            self.ahead += by
        else:
            self.console.off += by
        self.went_back = self.went_back or (by < 0 and not ours)
        if by < 0 and (ours or self.settled_before is None or not self.console.dated):
            self.retreats += 1

    # The poller, step by step.

    @rule(steps=st.integers(1, 7), limit=LIMITS)
    def goes_on(self, steps: int, limit: int) -> None:
        for _ in range(steps):
            self._step(limit)

    @rule(limit=LIMITS, settle=st.booleans())
    def sweeps_to_the_end(self, limit: int, settle: bool) -> None:
        self._sweep(limit)
        if settle:
            self.settles(len(self.poller.unsettled))

    @rule(times=st.integers(2, 5), late=LATENESS, by=st.sampled_from([OVERLAP, 10 * OVERLAP]))
    def lives_on(self, times: int, late: int, by: int) -> None:
        for _ in range(times):
            self.console.create(late)
            self.console.time += by
            self._sweep(3)
            self.settles(len(self.poller.unsettled))

    @rule(steps=st.integers(3, 12))
    def sweeps_while_records_appear(self, steps: int) -> None:
        for _ in range(steps):
            self.console.create(0)
            self._step(1)
            self.console.time += 1

    @rule(pages=st.integers(1, 5))
    def settles(self, pages: int) -> None:
        for _ in range(min(pages, len(self.poller.unsettled))):
            settled = self.poller.settle()
            self.settled |= set(settled.versions)
            self.settled_forgotten = self._forget(self.settled_forgotten, settled)
            if settled.ended is not None:
                self.settled_before = settled.ended

    @rule(lookback=st.sampled_from([LOOKBACK, LOOKBACK, LOOKBACK // 2, 10 * LOOKBACK]))
    def crash(self, lookback: int) -> None:
        self.poller.close()
        self.handed &= self.settled
        for version in self.console.shown.values():
            version.promised = version.promised and version in self.settled
        self.before = self.settled_before
        self.forgotten = self.settled_forgotten
        plan = replace(self.poller.plan, lookback=lookback)
        for version in self.console.shown.values():
            version.lookback = min(version.lookback, lookback)
        self.poller = self._start(plan)

    def _sweep(self, limit: int) -> None:
        self._step(limit)
        while self.poller.at:
            self._step(limit)

    def _step(self, limit: int) -> None:
        poller = self.poller
        poller.limit = limit
        at, pages, reading = poller.at, len(poller.unsettled), poller.reading
        if not at:
            self._begin()
            return
        if at == "end" and isinstance(reading, Recheck):
            self._end_recheck(reading)
        elif at == "end":
            self._end()
        else:
            if at == "page" and reading is not self.recheck:
                self.recheck, self.recheck_begun = reading, self.console.happens()
            poller.go_on()
        if at == "make":
            self._handed_over()
        for page in poller.unsettled[pages:]:
            self.forgotten = self._forget(self.forgotten, page)
        if self.at_once:
            self.settles(len(poller.unsettled))

    def _begin(self) -> None:
        console, watermark = self.console, self.poller.progress.watermark
        begun = Begun(
            event=console.happens(),
            time=console.time,
            clock=console.clock,
            end=console.clock if console.dated else max(self.now, watermark or self.now),
            now=self.now,
            lookback=self.poller.plan.lookback,
            retreats=self.retreats,
            seen=NOTHING if watermark is None else watermark,
        )
        if self.before is None:
            self.attempts.append(begun)
        self.begun = begun
        self.poller.begin()
        assert isinstance(self.poller.reading, Sweep)
        assert self.poller.reading.signpost == console.tells
        self.latest_signpost = max(self.latest_signpost, console.clock)

    def _handed_over(self) -> None:
        fresh = set(self.poller.fresh)
        assert not self.handed & fresh, "twice"
        reading = self.poller.reading
        floor, origin = self.forgotten, reading.progress.origin
        if self.before is None and origin is not None:
            floor = max(floor, origin)
        end = reading.until or 1 << 62
        held_back = {one for one in self.poller.held_back if one.position < end} - self.handed
        assert all(version.position < floor for version in held_back), "new, and not handed over"
        self.handed |= fresh | held_back
        if not self.console.dated:
            seen = [one.position for one in self.poller.page]
            self.latest_signpost = max([self.latest_signpost, *seen])

    def _end(self) -> None:
        sweep, begun = self.poller.reading, self.begun
        assert begun is not None
        assert isinstance(sweep, Sweep)
        self.poller.go_on()
        if not self.console.dated:
            watermark = self.poller.progress.watermark
            begun = replace(begun, clock=NOTHING if watermark is None else watermark)
        last = self.poller.unsettled[-1]
        last.ended, last.asked_from, last.versions = begun, sweep.asked_from, []
        shown = self.console.shown.values()
        for version in shown:
            passed = version.since < begun.event and version.position <= begun.end
            if passed and self._promises(version, sweep, begun):
                version.promised = True
        assert not [one for one in shown if one.promised and one not in self.handed]
        self.before = self.begun = begun
        self._ladder()

    def _end_recheck(self, recheck: Recheck) -> None:
        self.poller.go_on()
        for version in self.console.shown.values():
            if version.since < self.recheck_begun and not recheck._cut_short:
                outside = not recheck.asked_from <= version.position < recheck.until
                assert outside or version in self.handed
        self._ladder()

    def _ladder(self) -> None:
        """When all has been read that was due, nothing has exceeded its age by a tenth."""
        begun = self.begun
        assert begun is not None
        lost = self.went_back and not self.console.dated
        if self.poller.at or self.console.time != begun.time or lost:
            return
        ages, origin = self.poller.plan.ages, self.poller.progress.origin
        for version in self.console.shown.values():
            age = next((age for age in ages if age >= version.late), None)
            if age is None or version.late > version.lookback or version.since > begun.event:
                continue
            wanted = origin is None or version.position >= origin
            due = begun.clock >= version.position + age + age // 10
            if wanted and due and version.retreats == self.retreats:
                assert version in self.handed, "late, and not handed over"

    def _forget(self, forgotten: int, settlement: Settled) -> int:
        """Rows of earlier positions may be noted as if they were old."""
        if settlement.ended is not None:
            forgotten = min(forgotten, settlement.asked_from)
        if settlement.prune_before is None:
            return forgotten
        progress, plan = settlement.progress, self.poller.plan
        assert progress.watermark is not None
        assert settlement.prune_before <= progress.watermark - plan.reach
        assert all(settlement.prune_before <= at for _, at in progress.rechecked)
        return max(forgotten, settlement.prune_before)

    @invariant()
    def watermark_stays_in_bounds(self) -> None:
        watermark = self.poller.progress.watermark
        stored = self.poller.state.progress(self.poller.number).watermark
        if self.highest is not None:
            assert stored is not None
            assert stored >= self.highest
        self.highest = stored
        assert watermark is None or stored is None or watermark >= stored
        if watermark is not None:
            assert watermark <= self.latest_signpost

    def teardown(self) -> None:
        self.poller.close()
        shutil.rmtree(self.folder)

    def _promises(self, version: Version, sweep: Sweep, begun: Begun) -> bool:
        """Whether this sweep must have handed the version over, if no other did."""
        before, position = self.before, version.position
        if before is None:
            return self._first_promises(version, sweep, begun)
        if version.since < before.event and position <= before.end:
            return False
        origin = sweep.progress.origin
        signpost = before.clock if self.console.dated else max(before.clock, begun.seen)
        if position >= signpost - OVERLAP:
            return origin is None or position >= origin
        if not self.console.dated:
            return False
        went_back = before.clock + (begun.time - before.time) - begun.clock
        trusted = before.retreats == begun.retreats
        bound = before.clock - went_back - OVERLAP
        return went_back > OVERLAP and trusted and position >= bound

    def _first_promises(self, version: Version, sweep: Sweep, begun: Begun) -> bool:
        if self.attempts[0].retreats != begun.retreats:
            return False
        if not self.console.dated:
            return len(self.attempts) == 1 and version.position >= sweep.asked_from
        assert self.plan.start_back is not None
        skew = max(0, begun.now - begun.clock)
        bounds = [
            begun.clock - self.plan.start_back + (skew if skew <= OVERLAP else 0),
            *(one.clock - OVERLAP for one in self.attempts if one.event < version.since),
        ]
        return version.position >= max(bounds)


class Rescans(Sweeps):
    """A feed with re-scans: a change leaves a record where it is; and its own promise besides.

    A re-scan hands over every version that is not older than `rescan` by the console's clock. The
    first sweep notes what is older than the start, so that only a change of it is handed over.
    """

    plan: ClassVar = Plan(
        lookback=LOOKBACK,
        overlap=OVERLAP,
        start_back=START_BACK // 3,
        rescan=RESCAN,
        rescan_interval=150,
        present=0,
    )
    moves: ClassVar = False

    def _promises(self, version: Version, sweep: Sweep, begun: Begun) -> bool:
        if super()._promises(version, sweep, begun):
            return True
        if not self.console.dated:
            return False
        skew = max(0, begun.now - begun.clock)
        bound = begun.clock - RESCAN + (skew if skew <= OVERLAP else 0)
        return self.before is not None and sweep.rescan and version.position >= bound


class Heartbeats(Sweeps):
    """A feed with a heartbeat: what is not handed over repeats the last row of its id.

    Whatever was handed over may have arrived, also by a process that crashed before it settled.
    """

    plan: ClassVar = replace(Sweeps.plan, heartbeat=HEARTBEAT)

    def __init__(self) -> None:
        super().__init__()
        self.delivered: list[Version] = []

    @rule(index=INDEX, times=st.integers(1, 6), by=st.integers(1, HEARTBEAT // 3), late=LATENESS)
    def one_changes_often(self, index: int, times: int, by: int, late: int) -> None:
        for _ in range(times):
            self.console.time += by
            self.console.update(index, late if times == 1 else 0)
            self._sweep(3)

    def _handed_over(self) -> None:
        poller = self.poller
        kept: list[Version] = []
        end = poller.reading.until or 1 << 62
        for version in poller.held_back:
            is_new = version.position < end and version not in self.handed
            repeats = is_new and self._repeats_the_last(version)
            (self.handed.add if repeats else kept.append)(version)
        poller.held_back = kept
        self.delivered += poller.fresh
        super()._handed_over()

    def _repeats_the_last(self, version: Version) -> bool:
        rows = [
            one
            for one in self.delivered
            if one.id == version.id and one.position <= version.position
        ]
        last = max(reversed(rows), key=lambda one: one.position, default=None)
        return (
            last is not None
            and last.says == version.says
            and 0 <= version.position - last.position < HEARTBEAT
        )


LONG = settings(stateful_step_count=40, max_examples=min(settings().max_examples, 300))
"""Of each machine, whose examples take long."""
TestSweeps: Any = Sweeps.TestCase
TestSweeps.settings = LONG
TestHeartbeats: Any = Heartbeats.TestCase
TestHeartbeats.settings = LONG
TestRescans: Any = Rescans.TestCase
TestRescans.settings = LONG
