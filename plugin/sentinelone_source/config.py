"""config.toml and the environment, as frozen settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping as Dict
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from sentinelone_source.documents import convert, read_toml, unknown
from sentinelone_source.errors import ConfigError
from sentinelone_source.times import parse_duration, parse_moment

DEFAULT_FILES = (Path("config.toml"), Path("/etc/sentinelone-source/config.toml"))
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_LOOPBACK = ("127.", "localhost", "::1")


class State(msgspec.Struct, frozen=True):
    """`[state]`."""

    path: str = "/var/lib/sentinelone-source"


class Console(msgspec.Struct, frozen=True):
    """One `[[consoles]]`."""

    name: str
    url: str
    token_file: str = ""
    token_env: str = ""
    site_ids: tuple[str, ...] = ()
    account_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    proxy: str = ""
    ca_file: str = ""


class Feed(msgspec.Struct, frozen=True):
    """`[feeds]`, or one `[feeds.NAME]` over it; durations as text."""

    enabled: bool = True
    interval: str = "60s"
    start: str = "24h"
    lookback: str = "10m"
    rescan: str = "7d"
    rescan_interval: str = "15m"


class Handover(msgspec.Struct, frozen=True):
    """`[handover]`."""

    to: str = "stdout"
    settle: str = "30s"


class Mappings(msgspec.Struct, frozen=True):
    """`[mappings]`."""

    path: str = ""


class Telemetry(msgspec.Struct, frozen=True):
    """`[telemetry]`."""

    listen: str = ""


class Broker(msgspec.Struct, frozen=True):
    """`[azure.broker]`."""

    listen: str = "127.0.0.1:8688"
    secret_file: str = ""


class Azure(msgspec.Struct, frozen=True):
    """`[azure]`."""

    tenant_id: str = ""
    client_id: str = ""
    client_secret_file: str = ""
    certificate_file: str = ""
    endpoint: str = ""
    dcr_immutable_id: str = ""
    dcr_resource_id: str = ""
    cloud: Literal["public", "usgovernment", "china"] = "public"
    broker: Broker = Broker()


class _File(msgspec.Struct, frozen=True):
    state: State = State()
    consoles: tuple[Console, ...] = ()
    feeds: dict[str, Any] = {}
    handover: Handover = Handover()
    mappings: Mappings = Mappings()
    telemetry: Telemetry = Telemetry()
    azure: Azure = Azure()


class FeedSettings(msgspec.Struct, frozen=True):
    """How one feed is walked; durations in seconds.

    Attributes:
        start: seconds back from the first sweep, or a moment (microseconds), or None for all.
    """

    enabled: bool
    interval: float
    start_back: float | None
    start_at: int | None
    lookback: float
    rescan: float
    rescan_interval: float


class Settings(msgspec.Struct, frozen=True):
    """Everything a command needs to know."""

    source: str
    state_path: Path
    consoles: tuple[Console, ...]
    handover: Handover
    settle: float
    mappings_path: Path | None
    telemetry: Telemetry
    azure: Azure
    feeds: dict[str, Any]

    def feed(self, name: str) -> FeedSettings:
        """The settings of one feed: its own table over `[feeds]`."""
        return _feed(self.feeds, name, self.source)


def find_config(given: Path | None, environ: Dict[str, str] = os.environ) -> Path | None:
    """The configuration file: the one given, else the environment's, else a default that exists.

    Raises:
        ConfigError: a file that was named does not exist.
    """
    named = given or (Path(text) if (text := environ.get("SENTINELONE_SOURCE_CONFIG")) else None)
    if named is None:
        return next((path for path in DEFAULT_FILES if path.is_file()), None)
    if not named.is_file():
        raise ConfigError(f"{named}: no such configuration file")
    return named


def load_settings(given: Path | None = None, environ: Dict[str, str] = os.environ) -> Settings:
    """Read the configuration; the environment fills what the file leaves out.

    Raises:
        ConfigError: naming the file, the table and key, and what would be right.
    """
    path = find_config(given, environ)
    where = str(path) if path else "environment"
    document = read_toml(path) if path else {}
    file = convert(document, _File, where)
    here = path.parent if path else Path()
    state = file.state.path if "path" in document.get("state", {}) else ""
    handover = file.handover
    if "to" not in document.get("handover", {}) and environ.get("SENTINELONE_SOURCE_TO"):
        handover = msgspec.structs.replace(handover, to=environ["SENTINELONE_SOURCE_TO"])
    settings = Settings(
        source=where,
        state_path=here / (state or environ.get("SENTINELONE_SOURCE_STATE") or file.state.path),
        consoles=_consoles(file.consoles, environ, where, here),
        handover=handover,
        settle=_duration(handover.settle, f"{where}: handover.settle"),
        mappings_path=here / file.mappings.path if file.mappings.path else None,
        telemetry=file.telemetry,
        azure=file.azure,
        feeds=file.feeds,
    )
    check_destination(handover.to, f"{where}: handover.to")
    _feed(file.feeds, "", where)
    return settings


def check_feed_names(settings: Settings, known: list[str]) -> None:
    """Refuse `[feeds.NAME]` for names that no mapping has, and check every value.

    Raises:
        ConfigError: naming the key.
    """
    for name, value in settings.feeds.items():
        if isinstance(value, dict):
            if name not in known:
                raise ConfigError(
                    f"{settings.source}: feeds.{name}: {unknown('feed', name, known)}"
                )
            settings.feed(name)


def _consoles(
    consoles: tuple[Console, ...], environ: Dict[str, str], where: str, here: Path
) -> tuple[Console, ...]:
    if not consoles and environ.get("SENTINELONE_URL"):
        token = environ.get("SENTINELONE_TOKEN_FILE", "")
        named = "" if token else "SENTINELONE_TOKEN"
        consoles = (Console("default", environ["SENTINELONE_URL"], token, named),)
        where, here = "environment", Path()
    names: set[str] = set()
    for console in consoles:
        place = f"{where}: consoles.{console.name}"
        if console.name in names or not console.name:
            raise ConfigError(f"{place}: name: every console needs a name of its own")
        names.add(console.name)
        if bool(console.token_file) == bool(console.token_env):
            raise ConfigError(f"{place}: give either token_file or token_env")
        _refuse_token(console, place)
    return tuple(_normal_console(console, where, here) for console in consoles)


def _refuse_token(console: Console, place: str) -> None:
    """Catch a token that was written where its place belongs, without repeating it."""
    if console.token_env and not _VARIABLE.fullmatch(console.token_env):
        raise ConfigError(f"{place}: token_env: takes the name of a variable, not the token itself")
    if len(console.token_file) > 40 and "/" not in console.token_file:
        raise ConfigError(f"{place}: token_file: takes the path of a file, not the token itself")


def _normal_console(console: Console, where: str, here: Path) -> Console:
    parts = urlsplit(console.url if "://" in console.url else f"https://{console.url}")
    place = f"{where}: consoles.{console.name}: url"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{place}: {console.url!r} is no URL; as https://usea1-acme.sentinelone.net"
        )
    if parts.username or parts.password:
        raise ConfigError(f"{place}: holds a user name or password; only the address is wanted")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError(f"{place}: plain http is for loopback addresses only; write https://")
    return msgspec.structs.replace(
        console,
        url=f"{parts.scheme}://{parts.netloc}",
        token_file=str(here / console.token_file) if console.token_file else "",
        ca_file=str(here / console.ca_file) if console.ca_file else "",
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    return host.startswith(_LOOPBACK[0]) or host in _LOOPBACK[1:]


def check_destination(to: str, where: str) -> None:
    """Refuse what rows cannot be handed over to.

    Raises:
        ConfigError: `to` is neither `stdout` nor a URL.
    """
    if to == "stdout":
        return
    parts = urlsplit(to)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{where}: {to!r} is neither 'stdout' nor a URL as http://127.0.0.1:8687/"
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError(f"{where}: plain http is for loopback addresses only")


def _feed(feeds: dict[str, Any], name: str, where: str) -> FeedSettings:
    defaults = {key: value for key, value in feeds.items() if not isinstance(value, dict)}
    convert(defaults, Feed, f"{where}: feeds")
    own = feeds.get(name, {})
    place = f"{where}: feeds.{name}" if name in feeds else f"{where}: feeds"
    feed = convert(defaults | own, Feed, place)
    durations = {
        key: _duration(getattr(feed, key), f"{place}.{key}")
        for key in ("interval", "lookback", "rescan", "rescan_interval")
    }
    back, at = _start(feed.start, f"{place}.start")
    return FeedSettings(enabled=feed.enabled, start_back=back, start_at=at, **durations)


def _duration(text: str, where: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def _start(text: str, where: str) -> tuple[float | None, int | None]:
    if text == "all":
        return None, None
    try:
        return parse_duration(text), None
    except ValueError:
        pass
    try:
        return None, parse_moment(text)
    except ValueError:
        raise ConfigError(
            f"{where}: {text!r}: takes a duration back as '24h', a timestamp, or 'all'"
        ) from None
