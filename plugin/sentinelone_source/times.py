"""Moments and durations. Moments are microseconds since 1970, UTC; durations are seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
"""Microseconds in a second."""


class Clock(NamedTuple):
    """What time it is: `now` in microseconds since 1970, `monotonic` in seconds since whenever."""

    now: Callable[[], int]
    monotonic: Callable[[], float]


SYSTEM_CLOCK = Clock(lambda: time.time_ns() // 1000, time.monotonic)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 36_500 * 86_400.0


def parse_duration(text: str) -> float:
    """`"90s"`, `"10m"`, `"24h"` or `"7d"` as seconds; ValueError for more than a century."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise ValueError(
            f"{text!r} is not a duration; write a number and one of ms, s, m, h, d: '90s'"
        )
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is longer than 36500d")
    return seconds


class Seconds(float):
    """A duration, in a mapping file as text such as `"24h"`."""

    @classmethod
    def read(cls, text: str) -> Seconds:
        """Raises what `parse_duration` raises."""
        return cls(parse_duration(text))


def parse_time(text: str) -> datetime:
    """ISO 8601 text as an aware time in UTC, without an offset too; ValueError for other text."""
    time = datetime.fromisoformat(text.strip())
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:  # with its offset the time is outside the years 1 to 9999
        raise ValueError(f"{text!r} has no time in UTC") from None


def parse_moment(text: str) -> int:
    """ISO 8601 text as a moment. Raises what `parse_time` raises."""
    return to_micros(parse_time(text))


def parse_http_date(text: str) -> int | None:
    """The moment of a `Date` header and its like; None if the text is no such date."""
    import email.utils

    try:
        time = email.utils.parsedate_to_datetime(text)
        return to_micros(time if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def to_micros(time: datetime) -> int:
    """An aware time as a moment; exact, where a float would round."""
    return (time - EPOCH) // MICROSECOND


def from_micros(moment: int) -> datetime:
    """A moment as a time in UTC."""
    return EPOCH + moment * MICROSECOND


def to_iso(moment: int) -> str:
    """A moment as the API writes it, with all six digits."""
    return from_micros(moment).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
