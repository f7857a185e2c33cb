"""`[feeds]`: the defaults, and one feed's own over them."""

from __future__ import annotations

from typing import Any

import msgspec

from sentinelone_source.config.file import FeedTable
from sentinelone_source.errors import ConfigError
from sentinelone_source.times import parse_duration, parse_moment
from sentinelone_source.toml import convert


class FeedSettings(msgspec.Struct, frozen=True):
    """How one feed is read; durations in seconds.

    Attributes:
        start: seconds back from the first sweep, or a moment (microseconds), or None for all.
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


def read_feed(feeds: dict[str, Any], name: str, where: str) -> FeedSettings:
    """The settings of one feed; an empty name checks the defaults.

    Raises:
        ConfigError: naming the file, the feed and the key.
    """
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
    try:
        return parse_duration(text), None
    except ValueError:
        pass
    try:
        return None, parse_moment(text)
    except ValueError:
        raise ConfigError(
            f"{where}: {text!r}: takes a duration back, such as '24h', a timestamp, or 'all'"
        ) from None
