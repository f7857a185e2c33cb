"""Makes from settings what runs: mappings, plans, consoles, and the sink."""

from __future__ import annotations

from collections.abc import Sequence

from sentinelone_source.config.settings import Settings, check_feed_names
from sentinelone_source.console.console import Console
from sentinelone_source.console.limits import Limits
from sentinelone_source.errors import ConfigError
from sentinelone_source.feed.progress import SHORTEST_OVERLAP, Plan
from sentinelone_source.handover.sink import Sink
from sentinelone_source.handover.stdout import StdoutSink
from sentinelone_source.http.connections import Connections
from sentinelone_source.http.slots import Slots
from sentinelone_source.mapping.request import page_requests
from sentinelone_source.mapping.spec.files import find_mapping, load_mappings
from sentinelone_source.mapping.spec.model import Mapping
from sentinelone_source.times import SECOND
from sentinelone_source.timings import Timings


def build_sink(settings: Settings, patience: float | None, timings: Timings) -> tuple[Sink, float]:
    """The sink of all rows, and the seconds until what went there is settled.

    Raises:
        ConfigError: a file that `[handover]` names cannot be used.
    """
    if settings.handover.to == "stdout":
        return StdoutSink(patience=patience, timings=timings), settings.settle
    from sentinelone_source.handover.client import ShipperClient
    from sentinelone_source.handover.http import HttpSink

    try:
        slots = Slots(max(1, settings.concurrency * 5 // 8), shared=True)
        client = ShipperClient(settings.handover, patience, timings, slots)
    except ConfigError as error:
        raise ConfigError(f"{settings.source}: {error}") from None
    return HttpSink(client, patience=patience, timings=timings), 0.0


def select_mappings(settings: Settings, tables: Sequence[str]) -> list[Mapping]:
    """The mappings of the feeds that are enabled, or of these tables or mappings."""
    mappings = load_mappings(*settings.mappings)
    check_feed_names(settings, list(mappings))
    if tables:
        names = {find_mapping(mappings, table).name for table in tables}
    else:
        names = {name for name, one in mappings.items() if settings.is_enabled(name, one.enabled)}
    if not names:
        raise ConfigError(f"{settings.source}: feeds: every feed is switched off")
    return [mapping for name, mapping in mappings.items() if name in names]


def build_consoles(
    settings: Settings, mappings: Sequence[Mapping], patience: float | None, timings: Timings
) -> list[Console]:
    """The consoles, which share the limits of their tokens.

    Raises:
        ConfigError: there is none, its address is an example's, or its token is missing.
    """
    if not settings.consoles:
        raise ConfigError(
            f"{settings.source}: no console; add [[consoles]] with name, url and token_file, "
            "or set SENTINELONE_URL and SENTINELONE_TOKEN"
        )
    settings.refuse_placeholders()
    endpoints = {one.request.path: page_requests(one, None, None)[0] for one in mappings}
    slots = Slots(settings.concurrency, shared=len(settings.consoles) > 1)
    connections = Connections(settings.concurrency, len({one.url for one in settings.consoles}))
    limits: dict[tuple[str, str], Limits] = {}
    consoles = []
    for one in settings.consoles:
        shared = limits.setdefault(
            (one.url, one.token_file or one.token_env), Limits(slots, connections)
        )
        try:
            console = Console(one, shared, endpoints, patience=patience, timings=timings)
        except ConfigError as error:
            raise ConfigError(f"{settings.source}: {error}") from None
        try:
            console.check_token()
        except ConfigError as error:
            raise ConfigError(f"{settings.source}: consoles.{one.name}: {error}") from None
        consoles.append(console)
    return consoles


def build_plan(settings: Settings, mapping: Mapping) -> Plan:
    """How a feed is swept, by its settings and its mapping's nature."""
    feed = settings.feed(mapping.name)
    lookback = mapping.ordering.lookback if feed.lookback is None else feed.lookback
    return Plan(
        lookback=_micros(lookback),
        overlap=max(SHORTEST_OVERLAP, _micros(feed.interval)),
        interval=_micros(feed.interval),
        remember=_micros(max(feed.remember, lookback)),
        start_back=None if feed.start_back is None else _micros(feed.start_back),
        start_at=feed.start_at,
        inventory=mapping.ordering.inventory,
        rescan=_micros(feed.rescan) if mapping.ordering.rescan else 0,
        rescan_interval=_micros(feed.rescan_interval),
        heartbeat=_micros(feed.heartbeat) if mapping.ordering.volatile else 0,
    )


def _micros(seconds: float) -> int:
    return round(seconds * SECOND)
