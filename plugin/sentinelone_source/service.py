"""Builds the feeds from settings, and runs them until told to stop: where the rooms meet."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from sentinelone_source import __version__
from sentinelone_source.builders import build_consoles, build_plan, build_sink, select_mappings
from sentinelone_source.config.settings import Settings
from sentinelone_source.console.console import Console
from sentinelone_source.errors import Fatal
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.reader import FeedReader
from sentinelone_source.feed.runner import Outcome, exit_status, run_feed, sweep_once
from sentinelone_source.feed.settlement import FeedContext, Settlement
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.spec.files import health_table
from sentinelone_source.resources import ensure_descriptors, give_back_large_buffers
from sentinelone_source.timings import DEFAULTS, Timings

if TYPE_CHECKING:
    from sentinelone_source.telemetry.health_rows import HealthRows

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]
"""Something that runs as long as the feeds do, and troubles none of them."""

_log = structlog.get_logger()


@dataclass
class Service:
    """Everything that runs, put together by `build_service`; `once` means one sweep of each feed.

    `readers` are those that have read, or read now.
    """

    settings: Settings
    feeds: list[Feed]
    context: FeedContext
    once: bool
    timings: Timings
    background: Sequence[BackgroundTask] = ()
    health: Sequence[HealthRows] = ()

    def __post_init__(self) -> None:
        self.readers: list[FeedReader] = [*self.feeds]

    async def run(self) -> int:
        """Run until done, or stopped by SIGTERM or SIGINT; gives the exit status."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await self.run_until(stop)

    async def run_until(self, stop: asyncio.Event) -> int:
        """`run`, stopped by an event. Raises Fatal if nothing goes on."""
        give_back_large_buffers()
        _log.info(
            "started",
            version=__version__,
            state=str(self.context.state.folder),
            to=self.settings.handover.to,
            feeds=[f"{feed.console.name}/{feed.name}" for feed in self.feeds],
        )
        feeds = asyncio.create_task(self.read())
        settling = asyncio.create_task(self.context.settlement.run())
        stopped = asyncio.create_task(stop.wait())
        background = [asyncio.create_task(run()) for run in self.background]
        try:
            ends: set[asyncio.Future[Any]] = {feeds, settling, stopped}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if settling.done():
                await settling
            outcomes = await feeds if feeds.done() else []
        finally:
            await _end(feeds, settling, stopped, *background)
        await self._finish()
        return exit_status(outcomes)

    async def read(self) -> Sequence[Outcome]:
        """Sweep every feed; gives how that went.

        The first sweeps of many consoles are spread over the interval, as all later ones are then.
        """
        consoles = list(dict.fromkeys(feed.console.name for feed in self.feeds))
        late = {name: place / len(consoles) for place, name in enumerate(consoles)}
        return await asyncio.gather(
            *(self._run_feed(feed, late[feed.console.name]) for feed in self.feeds)
        )

    async def _finish(self) -> None:
        """Stop in good order: what was written to its end is settled."""
        under_way = [one.handing_over for one in self.readers if one.handing_over is not None]
        under_way += [rows.handing_over for rows in self.health if rows.handing_over is not None]
        if under_way:
            done, _ = await asyncio.wait(under_way, timeout=self.timings.stop)
            for page in done:
                if not page.cancelled() and isinstance(error := page.exception(), Fatal):
                    raise error
        await self.context.settlement.settle_all()
        _log.info("stopped", rows=sum(reader.counts.rows for reader in self.readers))

    async def _run_feed(self, feed: Feed, late: float) -> Outcome:
        structlog.contextvars.bind_contextvars(console=feed.console.name, feed=feed.name)
        if self.once:
            return await sweep_once(feed, self.timings)
        await asyncio.sleep(late * feed.interval)
        return await run_feed(feed, self.timings)


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def build_service(
    settings: Settings,
    tables: Sequence[str],
    *,
    once: bool,
    timings: Timings = DEFAULTS,
) -> Iterator[Service]:
    """Build a service from settings; the state is held until the end of the `with`.

    Feeds are those of these tables or mappings, or all that are enabled.

    Raises:
        ConfigError: the configuration does not hold what running needs.
        StateLocked, StateError: from the state.
        Fatal: there are too few file descriptors.
    """
    mappings = select_mappings(settings, tables)
    requests = min(settings.concurrency, 2 * len(mappings) * len(settings.consoles))
    ensure_descriptors(3 * requests, f"{settings.source}: requests.concurrency")
    patience = timings.once_patience if once else None
    consoles = build_consoles(settings, mappings, patience, timings)
    state = State(settings.state_path)
    try:
        sink, settle = build_sink(settings, patience, timings)
        settlement = Settlement(state, sink, settle, timings)
        context = FeedContext(sink, settlement, state, DeadLetters(settings.state_path))
        state.enter((console.name, one.name) for one in mappings for console in consoles)
        feeds = [
            Feed(console, mapper, build_plan(settings, mapper.mapping), context)
            for mapper in map(Mapper, mappings)
            for console in consoles
        ]
        with _background(settings, feeds, consoles, context, once) as (background, health):
            yield Service(settings, feeds, context, once, timings, background, health)
    finally:
        state.close()


@contextlib.contextmanager
def _background(
    settings: Settings, feeds: list[Feed], consoles: list[Console], context: FeedContext, once: bool
) -> Iterator[tuple[list[BackgroundTask], list[HealthRows]]]:
    """What runs beside the feeds: it watches tokens, and tells how we are."""
    timings = consoles[0].timings
    step = min(timings.expiry_apart, timings.expiry_round / len(consoles))
    watched = [] if once else consoles
    tasks: list[BackgroundTask] = [
        partial(console.expiry.watch, place * step) for place, console in enumerate(watched)
    ]
    interval = 0.0 if once else settings.health_interval
    if settings.listen is None and not interval:
        yield tasks, []
        return
    from sentinelone_source.telemetry.health_rows import HealthRows
    from sentinelone_source.telemetry.serve import serve_telemetry
    from sentinelone_source.telemetry.source import Source

    source = Source(context.dead_letters, feeds, consoles, context.sink)
    table = health_table(settings.mappings.columns, settings.mappings.where)
    by_console = "{console}" in settings.handover.tag
    health = [HealthRows(source, table, interval, by_console=by_console)] if interval else []
    tasks += [rows.run for rows in health]
    with contextlib.ExitStack() as stack:
        stack.enter_context(source.troubles.recorded())
        if settings.listen is not None:
            where = f"{settings.source}: telemetry.listen"
            stack.enter_context(serve_telemetry(settings.listen, source, where))
            tasks += [source.heartbeat.run, source.history.run]
        yield tasks, health
