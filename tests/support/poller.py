"""A poller taken to pieces: the real `Sweep` and the real `State`, one step at a time.

It does what `feed.feed.Feed` does with a page, but stops between any two steps, so that a crash
can come there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sentinelone_source.feed.state.state import Progress, State, UnsettledPage
from sentinelone_source.feed.sweep import Plan, Sweep

if TYPE_CHECKING:
    from pathlib import Path

    from support.modelconsole import ModelConsole, Version


@dataclass(frozen=True)
class Begun:
    """What was true when a complete sweep began: the reference for the next one's promise.

    Attributes:
        clock: the console's; where it does not tell, the last position seen when the sweep ended.
        end: where the sweep may end.
    """

    event: int
    time: int
    clock: int
    end: int
    now: int
    lookback: int
    retreats: int


@dataclass
class Walk:
    """A sweep on its way."""

    sweep: Sweep
    mark: Begun
    cursor: tuple[int, int] | None = None
    more: bool = True
    page: list[Version] | None = None
    fresh: list[Version] = field(default_factory=list)
    noted: list[Version] = field(default_factory=list)
    handed: bool = False


@dataclass
class Settlement:
    """A page that has been handed over, with what becomes permanent when it settles."""

    page: int | None
    progress: Progress
    prune_before: int | None
    versions: list[Version]
    ended: Walk | None


class Poller:
    """One life of a process, from the opening of the state to a crash."""

    def __init__(
        self, folder: Path, plan: Plan, console: ModelConsole, *, at_once: bool = False
    ) -> None:
        self.plan = plan
        self.console = console
        self.at_once = at_once
        self.state = State(folder)
        self.feed = self.state.feed("model", "things")
        self.progress = self.state.progress(self.feed)
        self.walk: Walk | None = None
        self.unsettled: deque[Settlement] = deque()
        self._began: dict[str, int] = {}

    def begin(self, mark: Begun, limit: int) -> Walk:
        """Ask for the first page; again, if the clocks say so."""
        passed, rested = self._since("sweep"), self._since("rescan")
        sweep = Sweep(self.plan, self.progress, mark.now, passed, rested)
        self.walk = Walk(sweep, mark)
        start = sweep.start
        page = self.console.page(start, None, limit)
        if not sweep.began(self.console.tells):
            page = self.console.page(sweep.start, None, limit)
        self.walk.page, self.walk.cursor = page
        return self.walk

    def fetch(self, limit: int) -> None:
        """Ask for the page after the one that was dealt with."""
        walk = self._walk()
        walk.page, walk.cursor = self.console.page(walk.sweep.start, walk.cursor, limit)

    def hand_over(self) -> tuple[list[Version], list[Version]]:
        """Split the page at hand into what is handed over and what is only noted."""
        walk = self._walk()
        page = walk.page or []
        known = self.state.known(
            self.feed, [one.key for one in page], [one.position for one in page]
        )
        new = [one for one in page if one.key not in known]
        walk.fresh = [one for one in new if one.position >= walk.sweep.wanted_from]
        walk.noted = [one for one in new if one.position < walk.sweep.wanted_from]
        walk.handed = True
        return walk.fresh, walk.noted

    def note(self) -> None:
        """Write down what was handed over, until it settles."""
        walk = self._walk()
        self.progress = walk.sweep.passed([one.position for one in walk.page or []])
        self._add(walk.sweep, [*walk.fresh, *walk.noted], None)
        walk.page, walk.handed = None, False
        walk.more = walk.cursor is not None and not walk.sweep.beyond

    def end(self) -> Walk:
        """The console has no more, or nothing that this sweep needs."""
        walk = self._walk()
        self._began["sweep"] = walk.mark.time
        if walk.sweep.rescan:
            self._began["rescan"] = walk.mark.time
        self.progress = walk.sweep.ended()
        self._add(walk.sweep, [], walk)
        self.walk = None
        return walk

    def settle(self) -> Settlement:
        """Make the oldest page permanent."""
        oldest = self.unsettled.popleft()
        if oldest.page is not None:
            page = UnsettledPage(oldest.page, self.feed, oldest.progress, oldest.prune_before)
            self.state.settle([page])
        return oldest

    def close(self) -> None:
        """Let go of the state; what is not settled is lost, as in a crash."""
        self.state.close()

    def _since(self, what: str) -> int | None:
        return self.console.time - self._began[what] if what in self._began else None

    def _walk(self) -> Walk:
        assert self.walk is not None
        return self.walk

    def _add(self, sweep: Sweep, versions: list[Version], ended: Walk | None) -> None:
        keys = [version.key for version in versions]
        positions = [version.position for version in versions]
        page, kept_from = None, sweep.prune_before()
        if self.at_once:
            self.state.settle_at_once(self.feed, keys, positions, self.progress, kept_from)
        else:
            page = self.state.record_unsettled(self.feed, keys, positions)
        self.unsettled.append(Settlement(page, self.progress, kept_from, versions, ended))
