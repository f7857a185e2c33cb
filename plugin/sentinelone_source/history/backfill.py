"""`backfill`: reads all windows of a plan, several at a time, with a state of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import structlog
from msgspec.structs import replace

from sentinelone_source.config.settings import Settings
from sentinelone_source.errors import EXIT_OK, ConfigError, SourceError
from sentinelone_source.feed.counts import Counts
from sentinelone_source.feed.runner import Outcome, sweep_once
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.history.old_rows import ADVICE, KEPT, OLD, announce_old_rows
from sentinelone_source.history.plan import Arguments, BackfillPlan, PastSpan, PlanFile, windows_of
from sentinelone_source.history.windows import Schedule, WindowPart, WindowReader, window_name
from sentinelone_source.service import Service, build_service
from sentinelone_source.times import to_iso
from sentinelone_source.timings import DEFAULTS, Timings

FOLDER = "backfill"
"""The directory of the backfill's state, in the state directory of `run`."""
_log = structlog.get_logger()


class BackfillOptions(NamedTuple):
    """How to backfill.

    Attributes:
        span: what to read. An unfinished backfill that is continued keeps the span it began with.
        parallel: how many windows are read at a time.
        restart: whether to forget an earlier backfill and begin anew.
        show: called with the part that is done (0 to 1) and the number of rows of this process.
    """

    span: PastSpan
    parallel: int
    restart: bool
    show: Callable[[float | None, int], None]


class Backfill(Service):
    """A service that reads the windows of a plan; `build_backfill` makes it."""

    def __init__(
        self, service: Service, plans: PlanFile, plan: BackfillPlan, options: BackfillOptions
    ) -> None:
        super().__init__(service.settings, service.feeds, service.context, True, service.timings)
        self._feeds = {f"{feed.console.name}/{feed.name}": feed for feed in service.feeds}
        self._plans, self._plan = plans, plan
        self._parallel, self._show = options.parallel, options.show
        self._parts = parts_of(plan, service.context.state)
        self._outcomes: dict[str, Outcome] = {}
        self._counts: dict[str, list[Counts]] = {one.feed_name: [] for one in plan.windows}
        self._old_before = service.context.clock.now() - KEPT
        self._ended = False

    async def run_until(self, stop: asyncio.Event) -> int:
        """Read the windows that are left; returns the exit status.

        Raises:
            SourceError: it was stopped before the end, or nothing can go on.
        """
        if not any(part.left for part in self._parts):
            if self._parts:
                _log.info("backfill_complete", arguments=str(self._plan.arguments))
            return EXIT_OK
        self._tell_begin()
        try:
            status = await super().run_until(stop)
        finally:
            self._tell_end()
        if not self._ended:
            raise SourceError(
                f"backfill: stopped with {self._done:.0%} read; "
                "the same command continues from there"
            )
        return status

    async def read(self) -> Sequence[Outcome]:
        """Read all windows; returns the outcome of each feed."""
        self._show(self._done, 0)
        self._schedule = Schedule([part for part in self._parts if part.left], self._divide)
        readers = (self._read_windows() for _ in range(self._parallel))
        await asyncio.gather(self._announce_old_rows(), *readers)
        self._ended = True
        return [self._outcomes.get(name, Outcome.DONE) for name in self._counts]

    async def _announce_old_rows(self) -> None:
        spans: dict[str, list[int]] = {}
        for part in self._parts:
            if part.left:
                spans.setdefault(part.window.feed_name, []).extend((part.reached, part.window.end))
        await asyncio.gather(
            *(
                announce_old_rows(self._feeds[name], min(ends), min(max(ends), self._old_before))
                for name, ends in spans.items()
                if min(ends) < self._old_before
            )
        )

    async def _read_windows(self) -> None:
        """Read one window after another until the schedule has none."""
        while (part := await self._schedule.next()) is not None:
            try:
                await self._read_window(part)
            finally:
                self._schedule.done(part)

    async def _read_window(self, part: WindowPart) -> None:
        name = part.window.feed_name
        if name in self._outcomes:  # the console refuses this feed, or it failed
            return
        window = WindowReader(self._feeds[name], part, self.context, self._passed, self._old_before)
        structlog.contextvars.bind_contextvars(console=window.console.name, feed=window.name)
        self.readers.append(window)
        self._counts[name].append(window.counts)
        outcome = await sweep_once(window, self.timings)
        if outcome is not Outcome.DONE:
            self._outcomes.setdefault(name, outcome)
            for one in self._parts:
                if one.window.feed_name == name:
                    one.page = 0

    def _divide(self, part: WindowPart, at: int) -> WindowPart:
        """Split a window at a position; the new part is in the plan's file when this returns."""
        rest = msgspec.structs.replace(part.window, start=at)
        part.window.end = at
        self._plan.windows.append(rest)
        self._plans.write(self._plan)
        self._parts.append(WindowPart(rest, len(self._parts), at))
        return self._parts[-1]

    def _passed(self, part: WindowPart) -> None:
        """Update schedule and progress display after a page of a window has been handed over."""
        self._schedule.passed(part)
        self._show(self._done, sum(reader.counts.rows for reader in self.readers))

    @property
    def _done(self) -> float:
        total = sum(part.window.end - part.window.start for part in self._parts)
        return 1 - sum(part.left for part in self._parts) / max(1, total)

    def _tell_begin(self) -> None:
        windows = self._plan.windows
        _log.info(
            "backfill",
            since=to_iso(min(window.start for window in windows)),
            until=to_iso(max(window.end for window in windows)),
            done=round(self._done, 4),
            parallel=self._parallel,
        )

    def _tell_end(self) -> None:
        for name, windows in self._counts.items():
            counts = Counts()
            for window in windows:
                counts.add(window)
            console, _, feed = name.rpartition("/")
            old = counts.late.pop(OLD, 0)
            _log.info("backfilled", console=console, feed=feed, **counts.summary())
            if old:
                _log.warning("old_rows", console=console, feed=feed, rows=old, advice=ADVICE)


def parts_of(plan: BackfillPlan, state: State) -> list[WindowPart]:
    """The windows of a plan, each with the position that it was read up to."""
    watermarks = {(one.console, one.mapping): one.progress.watermark for one in state.show()}
    found = []
    for number, window in enumerate(plan.windows):
        reached = watermarks.get((window.console, window_name(window.feed, number)))
        found.append(WindowPart(window, number, window.start if reached is None else reached))
    return found


@contextlib.contextmanager
def build_backfill(
    settings: Settings, arguments: Arguments, options: BackfillOptions, timings: Timings = DEFAULTS
) -> Iterator[Backfill]:
    """Put a backfill together; its state is locked until the end of the `with`.

    Args:
        settings: the configuration; the backfill's state is a folder of its state directory.
        arguments: as they were typed; only the same arguments continue an unfinished backfill.
        options: how to backfill.
        timings: how long to wait for what.

    Raises:
        ConfigError: the configuration is wrong, or an unfinished backfill had other arguments.
        StateLocked, StateError: another backfill runs, or state or plan cannot be used.
    """
    folder = settings.state_path / FOLDER
    own = msgspec.structs.replace(settings, state_path=folder, listen=None)
    with build_service(own, arguments.tables, once=True, timings=timings) as service:
        plans, state = PlanFile(folder), service.context.state
        names = sorted(f"{feed.console.name}/{feed.name}" for feed in service.feeds)
        plan = None if options.restart else plans.read()
        if plan is not None and (plan.arguments, plan.feeds) != (arguments, names):
            _check_finished(plan, names, state)
            plan = None
        if plan is None:
            _forget(plans, state)
            windows = windows_of(service.feeds, options.span, settings.state_path, settings.settle)
            plan = BackfillPlan(arguments, names, windows)
            if windows:
                plans.write(plan)
        letters = DeadLetters(settings.state_path)
        service.context = replace(service.context, dead_letters=letters)
        yield Backfill(service, plans, plan, options)


def _forget(plans: PlanFile, state: State) -> None:
    """Delete an earlier backfill; the plan first, so that no plan is ever without its state."""
    plans.remove()
    for one in state.show():
        state.reset(state.feed(one.console, one.mapping))


def _check_finished(plan: BackfillPlan, names: list[str], state: State) -> None:
    """Raise ConfigError if the backfill of this plan is unfinished: it had other arguments."""
    if not any(part.left for part in parts_of(plan, state)):
        return
    what = f"was begun with {plan.arguments}"
    if plan.feeds != names:
        changed = sorted({*plan.feeds} ^ {*names})
        what += f" and other feeds ({', '.join(changed)})"
    raise ConfigError(
        f"an unfinished backfill {what}; "
        "give the same arguments to continue it, or --restart to forget it"
    )
