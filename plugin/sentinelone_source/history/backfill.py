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
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.runner import Outcome, sweep_once
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.history.plan import Arguments, BackfillPlan, PastSpan, PlanFile, windows_of
from sentinelone_source.history.windows import (
    OLD,
    BackfillWindow,
    Schedule,
    WindowReader,
    window_name,
)
from sentinelone_source.mapping.request import page_requests
from sentinelone_source.service import Service, build_service
from sentinelone_source.times import SECOND, to_iso
from sentinelone_source.worker_threads import in_thread

FOLDER = "backfill"
"""The directory of the backfill's state, in the state directory of `run`."""
_KEPT = 2 * 86_400 * SECOND
"""Azure keeps a `TimeGenerated` that is at most so old; microseconds."""
_ADVICE = (
    "TimeGenerated is more than 2 days old: Azure puts the time of arrival in its place; "
    "the other columns keep their times"
)
_log = structlog.get_logger()


class BackfillOptions(NamedTuple):
    """What to read, how many windows at a time, and whether to forget an earlier backfill.

    An unfinished one keeps its span. `show` is told the part done, 0 to 1, and the number of rows.
    """

    span: PastSpan
    parallel: int
    restart: bool
    show: Callable[[float | None, int], None]


class Backfill(Service):
    """A service that reads the windows of a plan; `build_backfill` makes it."""

    def __init__(
        self, service: Service, plan: BackfillPlan, schedule: Schedule, options: BackfillOptions
    ) -> None:
        super().__init__(service.settings, service.feeds, service.context, True, service.timings)
        self._feeds = {f"{feed.console.name}/{feed.name}": feed for feed in service.feeds}
        self._plan, self._schedule, self._options = plan, schedule, options
        self._outcomes: dict[str, Outcome] = {}
        self._counts: dict[str, list[Counts]] = {one.feed_name: [] for one in plan.windows}
        self._ended = False
        self._old_before = service.context.clock.now() - _KEPT

    async def run_until(self, stop: asyncio.Event) -> int:
        """Read the windows that are left; returns the exit status.

        Raises SourceError if it was stopped before the end, or nothing can go on.
        """
        windows = self._schedule.windows
        if not any(window.left for window in windows):
            if windows:
                _log.info("backfill_complete", arguments=str(self._plan.arguments))
            return EXIT_OK
        self._tell_begin()
        try:
            status = await super().run_until(stop)
        finally:
            self._tell_end()
        if not self._ended:
            raise SourceError(
                f"backfill: stopped with {self._schedule.part_done:.0%} read; "
                "the same command continues from there"
            )
        return status

    async def read(self) -> Sequence[Outcome]:
        """Read all windows; returns the outcome of each feed."""
        self._options.show(self._schedule.part_done, 0)
        readers = (self._read_windows() for _ in range(self._options.parallel))
        await asyncio.gather(self._announce_old_rows(), *readers)
        self._ended = True
        return [self._outcomes.get(name, Outcome.DONE) for name in self._counts]

    async def _announce_old_rows(self) -> None:
        """Log how many records older than Azure keeps each feed has in what is left to read."""
        spans: dict[str, list[int]] = {}
        for window in self._schedule.windows:
            if window.left:
                ends = window.reached, window.until
                spans.setdefault(window.planned.feed_name, []).extend(ends)
        await asyncio.gather(
            *(
                _announce(self._feeds[name], min(ends), min(max(ends), self._old_before))
                for name, ends in spans.items()
                if min(ends) < self._old_before
            )
        )

    async def _read_windows(self) -> None:
        """Read one window after another until the schedule has none."""
        while (window := await self._schedule.next()) is not None:
            try:
                await self._read_window(window)
            finally:
                self._schedule.done(window)

    async def _read_window(self, window: BackfillWindow) -> None:
        name = window.planned.feed_name
        if name in self._outcomes:  # the console refuses this feed, or it failed
            return
        window.old_before = self._old_before
        reader = WindowReader(self._feeds[name], window, self.context, self._passed)
        structlog.contextvars.bind_contextvars(console=reader.console.name, feed=reader.name)
        self.readers.append(reader)
        self._counts[name].append(reader.counts)
        outcome = await sweep_once(reader, self.timings)
        if outcome is not Outcome.DONE:
            self._outcomes.setdefault(name, outcome)
            for one in self._schedule.windows:
                if one.planned.feed_name == name:
                    one.page = 0

    def _passed(self, window: BackfillWindow) -> None:
        """Update schedule and progress display after a page of a window has been handed over."""
        self._schedule.passed(window)
        rows = sum(reader.counts.rows for reader in self.readers)
        self._options.show(self._schedule.part_done, rows)

    def _tell_begin(self) -> None:
        windows = self._plan.windows
        _log.info(
            "backfill",
            since=to_iso(min(window.start for window in windows)),
            until=to_iso(max(window.end for window in windows)),
            done=round(self._schedule.part_done, 4),
            parallel=self._options.parallel,
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
                _log.warning("old_rows", console=console, feed=feed, rows=old, advice=_ADVICE)


async def _announce(feed: Feed, since: int, before: int) -> None:
    """Log how many records a feed has in a span (microseconds), by the console's own count."""
    [request, *_] = page_requests(feed.mapper.mapping, since, before)
    query = {name: value for name, value in request.query.items() if name != "skipCount"}
    one, records = replace(request, size=1, query=query), None
    if request.body is None:
        # the reading of the windows reports an error
        with contextlib.suppress(SourceError, ValueError, LookupError, TypeError):
            response = await feed.console.fetch(feed.endpoint, one)
            body = await in_thread(response.decoded)
            records = int(msgspec.json.decode(body)["pagination"]["totalItems"])
    about = {"console": feed.console.name, "feed": feed.name}
    _log.warning("old_rows", **about, before=to_iso(before), records=records, advice=_ADVICE)


def read_windows(plan: BackfillPlan, state: State) -> list[BackfillWindow]:
    """The windows of a plan, each with the position that it was read up to."""
    watermarks = {(one.console, one.mapping): one.progress.watermark for one in state.show()}
    return [
        BackfillWindow(one, number, watermarks.get((one.console, window_name(one.feed, number))))
        for number, one in enumerate(plan.windows)
    ]


@contextlib.contextmanager
def build_backfill(
    settings: Settings, arguments: Arguments, options: BackfillOptions
) -> Iterator[Backfill]:
    """Put a backfill together; its state is locked until the end of the `with`.

    Its state is a folder of the state directory; only the same arguments continue it: any others
    are a ConfigError. Raises StateLocked if another backfill runs, and StateError.
    """
    folder = settings.state_path / FOLDER
    own = msgspec.structs.replace(settings, state_path=folder, listen=None)
    with build_service(own, arguments.tables, once=True) as service:
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
        yield Backfill(service, plan, Schedule(plan, plans, read_windows(plan, state)), options)


def _forget(plans: PlanFile, state: State) -> None:
    """Delete an earlier backfill; the plan first, so that no plan is ever without its state."""
    plans.remove()
    for one in state.show():
        state.reset(one.number)


def _check_finished(plan: BackfillPlan, names: list[str], state: State) -> None:
    """Raise ConfigError if the backfill of this plan is unfinished: it had other arguments."""
    if not any(window.left for window in read_windows(plan, state)):
        return
    what = f"was begun with {plan.arguments}"
    if plan.feeds != names:
        changed = sorted({*plan.feeds} ^ {*names})
        what += f" and other feeds ({', '.join(changed)})"
    raise ConfigError(
        f"an unfinished backfill {what}; "
        "give the same arguments to continue it, or --restart to forget it"
    )
