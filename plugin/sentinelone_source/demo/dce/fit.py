"""What Azure makes of a row: undeclared columns go, long values are cut, old times replaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinelone_source.demo.dce.streams import TAKES

if TYPE_CHECKING:
    from sentinelone_source.demo.dce.received import Losses, Row
    from sentinelone_source.demo.dce.streams import Stream

MAX_VALUE: Final = 65_536
"""Bytes of a column's value."""
OLDEST: Final = timedelta(days=2)
NEWEST: Final = timedelta(days=1)
_TIME: Final = "TimeGenerated"


def fitted(row: Row, stream: Stream, losses: Losses, *, keep_times: bool) -> bytes:
    """The row as the table would show it, as JSON.

    Args:
        row: as it came.
        stream: that it came in.
        losses: where to count what goes.
        keep_times: only count times that Azure would replace.
    """
    kept: Row = {}
    for name, value in row.items():
        kind = stream.columns.get(name)
        if kind is None:
            losses.dropped[stream.table, name] += 1
            continue
        if value is not None and not TAKES[kind](value):
            losses.misfits[stream.table, name] += 1
        kept[name] = value
    now = datetime.now(UTC)
    if _TIME in stream.columns and not _is_near(kept.get(_TIME), now):
        losses.times[stream.table] += 1
        if not keep_times:
            kept[_TIME] = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    line = msgspec.json.encode(kept)
    # no value is longer than the whole row
    return line if len(line) <= MAX_VALUE else msgspec.json.encode(_short(kept, stream, losses))


def _short(row: Row, stream: Stream, losses: Losses) -> Row:
    short = {name: _cut(value) for name, value in row.items()}
    for name, value in short.items():
        if value is not row[name]:
            losses.truncated[stream.table, name] += 1
    return short


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        encoded = value.encode()
    elif isinstance(value, dict | list):
        encoded = msgspec.json.encode(value)
    else:
        return value
    return value if len(encoded) <= MAX_VALUE else encoded[:MAX_VALUE].decode(errors="ignore")


def _is_near(value: Any, now: datetime) -> bool:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return now - OLDEST <= at <= now + NEWEST
