"""The file and the environment, read and checked: everything a command needs to know."""

from __future__ import annotations

import os
from collections.abc import Mapping as Dict
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sentinelone_source.config.addresses import Address, read_address, refuse_placeholder
from sentinelone_source.config.checks import (
    check_destination,
    check_tag,
    read_consoles,
    read_handover,
)
from sentinelone_source.config.defaults import (
    AzureTable,
    ConsoleTable,
    FeedTable,
    File,
    HandoverTable,
)
from sentinelone_source.errors import ConfigError
from sentinelone_source.times import parse_duration, parse_moment
from sentinelone_source.toml import convert, read_toml, unknown

_VARIABLES = {
    "state.path": "SENTINELONE_SOURCE_STATE",
    "handover.to": "SENTINELONE_SOURCE_TO",
    "telemetry.listen": "SENTINELONE_SOURCE_LISTEN",
}
DEFAULT_FILES = (Path("config.toml"), Path("/etc/sentinelone-source/config.toml"))


class FeedSettings(msgspec.Struct, frozen=True):
    """How one feed is read; durations in seconds.

    Attributes:
        start_back: seconds from the first sweep back; None where `start_at` says it, or for all.
        start_at: microseconds since 1970; None where `start_back` says it, or for all.
        lookback: None where the mapping says it.
    """

    enabled: bool
    interval: float
    start_back: float | None
    start_at: int | None
    lookback: float | None
    remember: float
    rescan: float
    rescan_interval: float
    heartbeat: float


class MappingsSettings(NamedTuple):
    """`[mappings]`: what `load_mappings` takes."""

    path: Path | None
    columns: dict[str, Any]
    where: str


class Settings(msgspec.Struct, frozen=True):
    """Everything a command needs to know."""

    source: str
    state_path: Path
    consoles: tuple[ConsoleTable, ...]
    concurrency: int
    handover: HandoverTable
    mappings: MappingsSettings
    listen: Address | None
    settle: float
    health_interval: float
    azure: AzureTable
    feeds: dict[str, Any]
    consoles_in_file: bool
    _read: dict[str, FeedSettings] = {}

    def refuse_placeholders(self) -> None:
        """Raise ConfigError naming a console whose URL is still that of an example.

        Only commands that send requests to consoles call it.
        """
        for console in self.consoles:
            for key in ("url", "proxy"):
                place = f"{self.source}: consoles.{console.name}: {key}"
                if not self.consoles_in_file:
                    place = "environment: SENTINELONE_URL"
                refuse_placeholder(getattr(console, key), place)

    def feed(self, name: str) -> FeedSettings:
        """The settings of one feed: its own table over `[feeds]`."""
        if name not in self._read:  # read once for all consoles
            self._read[name] = read_feed(self.feeds, name, self.source)
        return self._read[name]

    def is_enabled(self, name: str, by_default: bool) -> bool:
        """Whether a feed is polled; one that is off `by_default`, only if its own table says so."""
        own = own_settings(self.feeds, name)
        return self.feed(name).enabled and (by_default or "enabled" in own)


def find_config(given: Path | None, environ: Dict[str, str] = os.environ) -> Path | None:
    """The configuration file: the one given, else the environment's, else a default that exists."""
    named = given or (Path(text) if (text := environ.get("SENTINELONE_SOURCE_CONFIG")) else None)
    if named is None:
        return next((path for path in DEFAULT_FILES if _is_file(path)), None)
    if not _is_file(named):
        raise ConfigError(f"{named}: no such configuration file")
    return named


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def load_settings(given: Path | None = None, environ: Dict[str, str] = os.environ) -> Settings:
    """Read the configuration; the environment fills what the file leaves out."""
    path = find_config(given, environ)
    where, here = (str(path), path.parent) if path else ("environment", Path())
    document = read_toml(path) if path else {}
    file = convert(document, File, where)
    over = _of_environment(document, environ)
    places = {key: f"{where}: {key}" for key in _VARIABLES}
    places |= {key: f"environment: {_VARIABLES[key]}" for key in over}
    to = over.get("handover.to", file.handover.to)
    check_destination(to, places["handover.to"])
    listen = over.get("telemetry.listen", file.telemetry.listen)
    consoles = read_consoles(file.consoles, environ, where, here)
    check_tag(file.handover.tag, [console.name for console in consoles], f"{where}: handover.tag")
    folder = here / file.mappings.path if file.mappings.path else None
    settings = Settings(
        source=where,
        state_path=Path(over.get("state.path", here / file.state.path)),
        consoles=consoles,
        concurrency=file.requests.concurrency,
        handover=read_handover(file.handover, to, where, here),
        mappings=MappingsSettings(folder, file.mappings.columns, f"{where}: mappings.columns"),
        listen=read_address(listen, places["telemetry.listen"]),
        settle=read_duration(file.handover.settle, f"{where}: handover.settle"),
        health_interval=read_duration(file.health.interval, f"{where}: health.interval"),
        azure=file.azure,
        feeds=file.feeds,
        consoles_in_file=bool(file.consoles),
    )
    read_feed(file.feeds, "", where)
    return settings


def _of_environment(document: dict[str, Any], environ: Dict[str, str]) -> dict[str, str]:
    """What the environment says of keys that the file leaves out."""
    keys = {key: key.split(".") for key, variable in _VARIABLES.items() if environ.get(variable)}
    return {
        key: environ[_VARIABLES[key]]
        for key, (table, name) in keys.items()
        if name not in document.get(table, {})
    }


def read_feed(feeds: dict[str, Any], name: str, where: str) -> FeedSettings:
    """The settings of one feed; an empty name checks the defaults."""
    defaults = {key: value for key, value in feeds.items() if not isinstance(value, dict)}
    convert(defaults, FeedTable, f"{where}: feeds")
    own = own_settings(feeds, name)
    place = f"{where}: feeds.{name}" if own else f"{where}: feeds"
    feed = convert(defaults | own, FeedTable, place)
    durations = {
        key: read_duration(getattr(feed, key), f"{place}.{key}")
        for key in ("interval", "remember", "rescan", "rescan_interval", "heartbeat")
    }
    lookback = read_duration(feed.lookback, f"{place}.lookback") if feed.lookback else None
    back, at = _start(feed.start, f"{place}.start")
    return FeedSettings(
        enabled=feed.enabled, start_back=back, start_at=at, lookback=lookback, **durations
    )


def own_settings(feeds: dict[str, Any], name: str) -> dict[str, Any]:
    """`[feeds.NAME]` of one feed."""
    own = feeds.get(name)
    return own if isinstance(own, dict) else {}


def read_duration(text: str, where: str) -> float:
    """A duration in seconds; raises ConfigError that names where it stands."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def _start(text: str, where: str) -> tuple[float | None, int | None]:
    if text == "all":
        return None, None
    with suppress(ValueError):
        return parse_duration(text), None
    with suppress(ValueError):
        return None, parse_moment(text)
    raise ConfigError(
        f"{where}: {text!r}: takes a duration back, such as '24h', a timestamp, or 'all'"
    )


def check_feed_names(settings: Settings, known: list[str]) -> None:
    """Refuse `[feeds.NAME]` for names that no mapping has, and check every value."""
    for name, value in settings.feeds.items():
        if isinstance(value, dict):
            if name not in known:
                raise ConfigError(
                    f"{settings.source}: feeds.{name}: {unknown('feed', name, known)}"
                )
            settings.feed(name)
