"""What Azure makes of a row: undeclared columns go, long values are cut, old times replaced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sentinelone_source.demo.dce.received import Losses, Row

MAX_VALUE: Final = 65_536
"""Bytes of a column's value."""
OLDEST: Final = timedelta(days=2)
NEWEST: Final = timedelta(days=1)
_TIME: Final = "TimeGenerated"


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream declaration and the table its rows go to; columns by name, with their types."""

    name: str
    table: str
    columns: Mapping[str, str]


def built_in_streams(
    folder: Path | None = None, columns: dict[str, Any] | None = None, where: str = ""
) -> list[Stream]:
    """One stream for each table; takes what `load_mappings` takes, and raises what it raises.

    A `json` column is text in a string column.
    """
    from sentinelone_source.mapping.spec.files import load_tables

    return [
        Stream(
            table.stream,
            table.table,
            {column.name: column.kind.in_stream for column in table.columns},
        )
        for table in load_tables(folder, columns, where)
    ]


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
            losses["undeclared_columns"][f"{stream.table}.{name}"] += 1
            continue
        if value is not None and not _takes(kind, value):
            losses["values_of_another_type"][f"{stream.table}.{name}"] += 1
        kept[name] = value
    now = datetime.now(UTC)
    if _TIME in stream.columns and not _is_near(kept.get(_TIME), now):
        losses["times_replaced"][stream.table] += 1
        if not keep_times:
            kept[_TIME] = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    line = msgspec.json.encode(kept)
    # no value is longer than the whole row
    return line if len(line) <= MAX_VALUE else msgspec.json.encode(_short(kept, stream, losses))


def _short(row: Row, stream: Stream, losses: Losses) -> Row:
    short = {name: _cut(value) for name, value in row.items()}
    for name, value in short.items():
        if value is not row[name]:
            losses["truncated_values"][f"{stream.table}.{name}"] += 1
    return short


def _cut(value: Any) -> Any:
    if not isinstance(value, str | dict | list):
        return value
    encoded = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    return value if len(encoded) <= MAX_VALUE else encoded[:MAX_VALUE].decode(errors="ignore")


def _is_near(value: Any, now: datetime) -> bool:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return now - OLDEST <= at <= now + NEWEST


def _takes(kind: str, value: Any) -> bool:
    """Whether a JSON value is of a column's type."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "dynamic":
            return True
        case "boolean":
            return isinstance(value, bool)
        case "real":
            return is_number
        case "int" | "long":
            return is_number and value == int(value)
        case _:
            return isinstance(value, str)
