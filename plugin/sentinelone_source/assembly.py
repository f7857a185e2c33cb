"""Puts a service together from settings: the place where the rooms meet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from sentinelone_source.config import Settings, check_feed_names
from sentinelone_source.console.console import Console
from sentinelone_source.console.limits import Limits
from sentinelone_source.errors import ConfigError
from sentinelone_source.feed.context import FeedContext
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.settling import Settling
from sentinelone_source.feed.state import State
from sentinelone_source.feed.sweep import Plan
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Sink
from sentinelone_source.handover.stdout import StdoutSink
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.spec.files import find_mapping, load_mappings
from sentinelone_source.mapping.spec.model import Mapping
from sentinelone_source.service import Beside, Service
from sentinelone_source.times import SECOND
from sentinelone_source.timings import DEFAULTS, Timings


@contextlib.contextmanager
def assemble(
    settings: Settings,
    tables: Sequence[str],
    *,
    once: bool,
    timings: Timings = DEFAULTS,
) -> Iterator[Service]:
    """Build a service from settings; the state is held until the end of the `with`.

    Args:
        settings: the configuration.
        tables: names of tables or mappings to restrict the feeds to; empty for all enabled.
        once: one sweep of every feed.
        timings: how long to wait for what.

    Raises:
        ConfigError: the configuration does not hold what running needs.
        StateLocked, StateError: from the state.
    """
    if not settings.consoles:
        raise ConfigError(
            f"{settings.source}: no console; add [[consoles]] with name, url and token_file, "
            "or set SENTINELONE_URL and SENTINELONE_TOKEN"
        )
    settings.refuse_placeholders()
    mappings = _selected(settings, tables)
    patience = timings.once_patience if once else None
    consoles = _consoles(settings, mappings, patience, timings)
    state = State(settings.state_path)
    try:
        sink, settle = _sink(settings, patience, timings)
        settling = Settling(state, sink, settle)
        dead_letters = DeadLetters(settings.state_path)
        context = FeedContext(sink, settling, state, dead_letters)
        feeds = [
            Feed(console, mapper, plan(settings, mapper.mapping), context)
            for mapper in map(Mapper, mappings)
            for console in consoles
        ]
        with _beside(settings, feeds, consoles, context, once) as beside:
            yield Service(settings, feeds, state, settling, once, timings.once_patience, beside)
    finally:
        state.close()


@contextlib.contextmanager
def _beside(
    settings: Settings, feeds: list[Feed], consoles: list[Console], context: FeedContext, once: bool
) -> Iterator[list[Beside]]:
    """What runs beside the feeds: it watches tokens, and tells those who ask how we are."""
    beside: list[Beside] = [] if once else [console.expiry.watch for console in consoles]
    if settings.listen is None:
        yield beside
        return
    from sentinelone_source.telemetry.metrics import Source
    from sentinelone_source.telemetry.serve import serve_telemetry

    intervals = {feed.name: settings.feed(feed.name).interval for feed in feeds}
    source = Source(context.dead_letters, feeds, consoles, context.sink, intervals)
    with serve_telemetry(
        settings.listen, source, f"{settings.source}: telemetry.listen"
    ) as heartbeat:
        yield [*beside, heartbeat.run]


def _sink(settings: Settings, patience: float | None, timings: Timings) -> tuple[Sink, float]:
    """The sink of all rows, and the seconds until what went there is settled."""
    if settings.handover.to == "stdout":
        return StdoutSink(patience=patience), settings.settle
    from sentinelone_source.handover.client import ShipperClient
    from sentinelone_source.handover.http import HttpSink

    try:
        client = ShipperClient(settings.handover, patience, timings)
    except ConfigError as error:
        raise ConfigError(f"{settings.source}: {error}") from None
    return HttpSink(client, patience=patience, timings=timings), 0.0


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


def _consoles(
    settings: Settings, mappings: Sequence[Mapping], patience: float | None, timings: Timings
) -> list[Console]:
    endpoints = [mapping.request.path for mapping in mappings]
    limits: dict[tuple[str, str], Limits] = {}
    consoles = []
    for one in settings.consoles:
        shared = limits.setdefault((one.url, one.token_file or one.token_env), Limits())
        console = Console(one, shared, endpoints, patience=patience, timings=timings)
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
        inventory=mapping.ordering.inventory,
        rescan=_micros(feed.rescan) if mapping.ordering.rescan else 0,
        rescan_interval=_micros(feed.rescan_interval),
    )


def _micros(seconds: float) -> int:
    return round(seconds * SECOND)
