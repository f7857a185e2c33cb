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
    precondition,
    rule,
)

from sentinelone_source.feed.sweep import Plan
from support.clocks import INDEX, JUMPS, LATENESS, LIMITS, LOOKBACK, PASSING, RESCAN, START_BACK
from support.modelconsole import ModelConsole, Version
from support.poller import Begun, Poller, Walk


class Sweeps(RuleBasedStateMachine):
    """An ordinary feed: a change gives a record a new position.

    What must hold, for any interleaving:

    * A version is promised by the complete sweep that began after it became visible and saw it to
      the end, if its position is not further back than the look-back from the signpost of the
      sweep before. Where the console's clock was seen to go back, that signpost went back with it.
      The first sweep promises what is not older than the start, by the console's clock.
    * Everything promised is handed over, or was noted as older than the start.
    * Nothing settled is handed over again, crash or no crash, while the clocks were never off by
      more than a look-back; and otherwise only what is older than what the state has kept.
    * The watermark never goes back, and never passes a signpost.
    """

    plan: ClassVar = Plan(lookback=LOOKBACK, start_back=START_BACK)
    moves: ClassVar = True

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.console = ModelConsole(moves=self.moves)
        self.ahead = 0
        self.variation = 0
        self.retreats = 0
        self.kept_from = 0
        self.highest: int | None = None
        self.handed: set[Version] = set()
        self.settled: set[Version] = set()
        self.attempts: list[Begun] = []
        self.before: Begun | None = None
        self.settled_before: Begun | None = None
        self.latest_signpost = 0
        self.at_once = False
        self.poller = Poller(self.folder, self.plan, self.console)

    @initialize(at_once=st.booleans())
    def settled_at_once(self, at_once: bool) -> None:
        self.at_once = self.poller.at_once = at_once

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

    @rule(by=PASSING)
    def time_passes(self, by: int) -> None:
        self.console.time += by

    @rule(by=JUMPS, ours=st.booleans())
    def clock_jumps(self, by: int, ours: bool) -> None:
        self.variation += abs(by)
        if ours:
            self.ahead += by
        else:
            self.console.off += by
        if by < 0 and (ours or self.settled_before is None):
            self.retreats += 1

    # The poller, step by step.

    @rule(steps=st.integers(1, 7), limit=LIMITS)
    def goes_on(self, steps: int, limit: int) -> None:
        for _ in range(steps):
            self._step(limit)

    @rule(limit=LIMITS, settle=st.booleans())
    def sweeps_to_the_end(self, limit: int, settle: bool) -> None:
        self._step(limit)
        while self.poller.walk is not None:
            self._step(limit)
        if settle:
            self.settles(len(self.poller.unsettled))

    @rule(pages=st.integers(1, 5))
    def settles(self, pages: int) -> None:
        for _ in range(min(pages, len(self.poller.unsettled))):
            settlement = self.poller.settle()
            self.settled |= set(settlement.versions)
            self.kept_from = max(self.kept_from, settlement.forget_before)
            if settlement.ended is not None:
                self.settled_before = settlement.ended.mark

    @precondition(lambda self: self.poller.walk is not None or self.poller.unsettled)
    @rule()
    def crash(self) -> None:
        self.poller.close()
        self.handed &= self.settled
        for version in self.console.shown.values():
            version.promised = version.promised and version in self.settled
        self.before = self.settled_before
        self.poller = Poller(self.folder, self.plan, self.console, at_once=self.at_once)

    def _step(self, limit: int) -> None:
        walk = self.poller.walk
        if walk is None:
            self._begin(limit)
        elif walk.handed:
            self.poller.note()
        elif walk.page is not None:
            self._hand_over(walk)
        elif walk.more:
            self.poller.fetch(limit)
        else:
            self._end()
        if self.at_once:
            self.settles(len(self.poller.unsettled))

    def _begin(self, limit: int) -> None:
        console = self.console
        begun = Begun(console.happens(), console.time, console.clock, self.now, self.retreats)
        if self.before is None:
            self.attempts.append(begun)
        walk = self.poller.begin(begun, limit)
        assert walk.sweep.signpost == console.clock
        self.latest_signpost = max(self.latest_signpost, console.clock)

    def _hand_over(self, walk: Walk) -> None:
        fresh, noted = self.poller.hand_over()
        for version in fresh:
            if version in self.handed:
                assert version.position < self.kept_from, f"{version} twice"
                assert self.variation > LOOKBACK, f"{version} twice, and no clock was wrong"
        origin = walk.sweep.progress.origin
        assert not noted or self.before is None
        assert all(origin is not None and version.position < origin for version in noted)
        self.handed |= {*fresh, *noted}

    def _end(self) -> None:
        walk = self.poller.end()
        begun = walk.mark
        shown = self.console.shown.values()
        for version in shown:
            if version.since < begun.event and self._promises(version, walk, begun):
                version.promised = True
        assert not [one for one in shown if one.promised and one not in self.handed]
        self.before = begun

    @invariant()
    def watermark_stays_in_bounds(self) -> None:
        watermark = self.poller.progress.watermark
        stored = self.poller.state.progress(self.poller.feed).watermark
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

    def _promises(self, version: Version, walk: Walk, begun: Begun) -> bool:
        """Whether this sweep must have handed the version over, if no other did."""
        before, position = self.before, version.position
        if before is None:
            return self._first_promises(version, begun)
        if version.since < before.event:
            return False
        origin = walk.sweep.progress.origin
        if position >= before.clock - LOOKBACK:
            return origin is None or position >= origin
        went_back = before.clock + (begun.time - before.time) - begun.clock
        trusted = before.retreats == begun.retreats
        return went_back > LOOKBACK and trusted and position >= before.clock - went_back - LOOKBACK

    def _first_promises(self, version: Version, begun: Begun) -> bool:
        if self.attempts[0].retreats != begun.retreats:
            return False
        assert self.plan.start_back is not None
        skew = max(0, begun.now - begun.clock)
        bounds = [
            begun.clock - self.plan.start_back + (skew if skew <= LOOKBACK else 0),
            *(one.clock - LOOKBACK for one in self.attempts if one.event < version.since),
        ]
        return version.position >= max(bounds)


class Rescans(Sweeps):
    """A feed with re-scans: a change leaves a record where it is; and its own promise besides.

    A re-scan hands over every version that is not older than `rescan` by the console's clock. The
    first sweep notes what is older than the start, so that only a change of it is handed over.
    """

    plan: ClassVar = Plan(
        lookback=LOOKBACK, start_back=START_BACK // 3, rescan=RESCAN, rescan_interval=150
    )
    moves: ClassVar = False

    def _promises(self, version: Version, walk: Walk, begun: Begun) -> bool:
        if super()._promises(version, walk, begun):
            return True
        skew = max(0, begun.now - begun.clock)
        bound = begun.clock - RESCAN + (skew if skew <= LOOKBACK else 0)
        return self.before is not None and walk.sweep.rescan and version.position >= bound


TestSweeps: Any = Sweeps.TestCase
TestSweeps.settings = settings(stateful_step_count=40)
TestRescans: Any = Rescans.TestCase
TestRescans.settings = settings(stateful_step_count=40)
