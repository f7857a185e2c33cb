"""Runs feeds until told to stop: the place where the rooms meet."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog

from sentinelone_source import __version__
from sentinelone_source.config import Settings, check_feed_names
from sentinelone_source.console.console import Console
from sentinelone_source.console.limits import Limits
from sentinelone_source.console.permissions import permission
from sentinelone_source.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_REFUSED,
    BadRequest,
    ConfigError,
    CursorLost,
    Fatal,
    FeedRefused,
    Refused,
    SourceError,
)
from sentinelone_source.feed.delivery import Delivery
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.settling import Settling
from sentinelone_source.feed.state import State
from sentinelone_source.feed.sweep import Plan
from sentinelone_source.handover.deadletters import DeadLetters
from sentinelone_source.handover.stdout import Stdout
from sentinelone_source.mapping.files import find_mapping, load_mappings
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.model import Mapping
from sentinelone_source.memory import give_back_large_buffers
from sentinelone_source.times import SECOND

ONCE_PATIENCE = 600.0
"""Seconds that `run --once` waits for a console or a shipper that stays away."""
REFUSED_WAIT = 3600.0
"""Seconds until a feed is tried again that the console does not permit, or does not understand."""
STOP_PATIENCE = 4.0
"""Seconds that a stopping process waits for its reader to take what has been begun."""
RESTARTS = 5
"""How often one sweep begins again because the console lost its cursor."""

_log = structlog.get_logger()


class Outcome(Enum):
    """How a feed's one sweep went."""

    DONE = "done"
    FORBIDDEN = "forbidden"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass
class Service:
    """Everything that runs, put together by `assemble`."""

    settings: Settings
    feeds: list[Feed]
    state: State
    settling: Settling
    once: bool

    async def run(self) -> int:
        """Run until done, or stopped by SIGTERM or SIGINT; gives the exit status."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await self.run_until(stop)

    async def run_until(self, stop: asyncio.Event) -> int:
        """`run`, stopped by an event.

        Raises:
            Fatal: nothing goes on.
        """
        give_back_large_buffers()
        _log.info(
            "started",
            version=__version__,
            state=str(self.state.folder),
            to=self.settings.handover.to,
            feeds=[f"{feed.console.name}/{feed.name}" for feed in self.feeds],
        )
        feeds = asyncio.ensure_future(self._tend_all())
        settling = asyncio.create_task(self.settling.run())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({feeds, settling, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if settling.done():
                await settling
            outcomes = await feeds if feeds.done() else []
        finally:
            await _end(feeds, settling, stopped)
        await self._finish()
        return _status(outcomes)

    async def _finish(self) -> None:
        """Stop in good order: what was written to its end is settled."""
        in_hand = [feed.in_hand for feed in self.feeds if feed.in_hand is not None]
        if in_hand:
            await asyncio.wait(in_hand, timeout=STOP_PATIENCE)
        self.settling.settle_all()
        _log.info("stopped", rows=sum(feed.counts.rows for feed in self.feeds))

    async def _tend_all(self) -> list[Outcome]:
        return await asyncio.gather(*(self._tend(feed) for feed in self.feeds))

    async def _tend(self, feed: Feed) -> Outcome:
        """Sweep one feed, for ever or once; its troubles stay its own."""
        while True:
            outcome, wait = await self._sweep(feed)
            if self.once:
                return outcome
            await asyncio.sleep(wait)

    async def _sweep(self, feed: Feed) -> tuple[Outcome, float]:
        interval = self.settings.feed(feed.name).interval
        about = {"console": feed.console.name, "feed": feed.name}
        try:
            await _restarting(feed)
        except FeedRefused as error:
            wanted = permission(feed.endpoint)
            _log.error("feed_refused", **about, error=str(error), permission=wanted, retry="hourly")
            return Outcome.FORBIDDEN, max(interval, REFUSED_WAIT)
        except BadRequest as error:
            _log.error("feed_not_understood", **about, error=str(error), retry="hourly")
            return Outcome.FAILED, max(interval, REFUSED_WAIT)
        except Refused as error:
            _log.error("refused", **about, error=str(error))
            return Outcome.REFUSED, interval
        except Fatal:
            raise
        except SourceError as error:
            _log.error("sweep_failed", **about, error=str(error))
            return Outcome.FAILED, interval
        except Exception:  # noqa: BLE001 - one feed's defect does not stop the others
            _log.exception(
                "sweep_failed", **about, error="a defect of this program; please report it"
            )
            return Outcome.FAILED, interval
        return Outcome.DONE, interval


async def _restarting(feed: Feed) -> None:
    for left in reversed(range(RESTARTS)):
        try:
            await feed.sweep()
        except CursorLost as error:
            if not left:
                raise
            _log.warning("restart", console=feed.console.name, feed=feed.name, error=str(error))
            await asyncio.sleep(RESTARTS - left)
        else:
            return


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _status(outcomes: Sequence[Outcome]) -> int:
    if not outcomes:
        return EXIT_OK
    if Outcome.REFUSED in outcomes or all(one is Outcome.FORBIDDEN for one in outcomes):
        return EXIT_REFUSED
    return EXIT_FAILED if Outcome.FAILED in outcomes else EXIT_OK


@contextlib.contextmanager
def assemble(settings: Settings, tables: Sequence[str], *, once: bool) -> Iterator[Service]:
    """Build a service from settings; the state is held until the end of the `with`.

    Args:
        settings: the configuration.
        tables: names of tables or mappings to restrict the feeds to; empty for all enabled.
        once: one sweep of every feed.

    Raises:
        ConfigError: the configuration does not hold what running needs.
        StateLocked, StateError: from the state.
    """
    if not settings.consoles:
        raise ConfigError(
            f"{settings.source}: no console; add [[consoles]] with name, url and token_file, "
            "or set SENTINELONE_URL and SENTINELONE_TOKEN"
        )
    if settings.handover.to != "stdout":
        raise ConfigError(
            f"handover.to: {settings.handover.to!r}: this version hands over to 'stdout' only"
        )
    mappings = _selected(settings, tables)
    consoles = _consoles(settings, once)
    state = State(settings.state_path)
    try:
        stdout = Stdout(patience=ONCE_PATIENCE if once else None)
        settling = Settling(state, stdout, settings.settle)
        delivery = Delivery(stdout, settling, state, DeadLetters(settings.state_path))
        feeds = [
            Feed(console, mapper, plan(settings, mapper.mapping), delivery)
            for mapper in map(Mapper, mappings)
            for console in consoles
        ]
        yield Service(settings, feeds, state, settling, once)
    finally:
        state.close()


def _selected(settings: Settings, tables: Sequence[str]) -> list[Mapping]:
    mappings = load_mappings(settings.mappings_path)
    check_feed_names(settings, list(mappings))
    if tables:
        names = {find_mapping(mappings, table).name for table in tables}
    else:
        names = {name for name in mappings if settings.feed(name).enabled}
    if not names:
        raise ConfigError(f"{settings.source}: feeds: every feed is switched off")
    return [mapping for name, mapping in mappings.items() if name in names]


def _consoles(settings: Settings, once: bool) -> list[Console]:
    limits: dict[tuple[str, str], Limits] = {}
    consoles = []
    for one in settings.consoles:
        shared = limits.setdefault((one.url, one.token_file or one.token_env), Limits())
        console = Console(one, shared, patience=ONCE_PATIENCE if once else None)
        try:
            console.check_token()
        except ConfigError as error:
            raise ConfigError(f"{settings.source}: consoles.{one.name}: {error}") from None
        consoles.append(console)
    return consoles


def plan(settings: Settings, mapping: Mapping) -> Plan:
    """How a feed is swept, by its settings and its mapping's nature."""
    feed = settings.feed(mapping.name)
    return Plan(
        lookback=_micros(feed.lookback),
        start_back=None if feed.start_back is None else _micros(feed.start_back),
        start_at=feed.start_at,
        inventory=mapping.walk.inventory,
        rescan=_micros(feed.rescan) if mapping.walk.rescan else 0,
        rescan_interval=_micros(feed.rescan_interval),
    )


def _micros(seconds: float) -> int:
    return round(seconds * SECOND)
