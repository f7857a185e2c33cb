"""Times as the API writes them, and the insertion time that every SentinelOne id carries."""

from __future__ import annotations

from datetime import datetime
from random import Random

from sentinelone_source.times import to_micros

_SNOWFLAKE_EPOCH_MS = 1_483_228_800_000


def text(at: datetime) -> str:
    """As the API writes it: six, three or no fraction digits, whatever the value needs."""
    if at.microsecond == 0:
        width = "seconds"
    else:
        width = "microseconds" if at.microsecond % 1000 else "milliseconds"
    return at.isoformat(timespec=width).removesuffix("+00:00") + "Z"


def coarsened(at: datetime, rng: Random) -> datetime:
    """Mostly the same time; now and then cut to milliseconds or to the second."""
    roll = rng.random()
    if roll < 0.03:
        return at.replace(microsecond=0)
    if roll < 0.1:
        return at.replace(microsecond=at.microsecond // 1000 * 1000)
    return at


def snowflake(at: datetime, low: int) -> str:
    """An id inserted at that time; `low` (23 bits) tells ids of one millisecond apart."""
    return str((to_micros(at) // 1000 - _SNOWFLAKE_EPOCH_MS) << 23 | low & 0x7FFFFF)
