"""Moments and durations. Moments are microseconds since 1970, UTC; durations are seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
"""Microseconds in a second."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """`"90s"`, `"10m"`, `"24h"` or `"7d"` as seconds.

    Raises:
        ValueError: the text is no duration.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise ValueError(
            f"{text!r} is no duration; write a number and one of ms, s, m, h, d: '90s'"
        )
    return float(found[1]) * _UNITS[found[2]]


def parse_moment(text: str) -> int:
    """ISO 8601 text as a moment; without an offset it is UTC.

    Raises:
        ValueError: the text is no timestamp.
    """
    moment = datetime.fromisoformat(text.strip())
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def to_micros(moment: datetime) -> int:
    """An aware datetime as a moment."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def to_iso(micros: int) -> str:
    """A moment as the API writes it, with all six digits."""
    return (EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
