"""Rows that arrive: what Azure makes of them, and what it would lose of them in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from sentinelone_source.mapping.spec.files import load_tables
from sentinelone_source.times import parse_time

MAX_VALUE: Final = 65_536
"""Bytes of a column's value."""
OLDEST: Final = timedelta(days=2)
NEWEST: Final = timedelta(days=1)
_TIME: Final = "TimeGenerated"
_KINDS: Final = (
    "single_objects",
    "elements_not_objects",
    "undeclared_columns",
    "truncated_values",
    "values_of_another_type",
    "times_replaced",
)


class Stream(NamedTuple):
    """A stream declaration and the table its rows go to; columns by name, with their types."""

    name: str
    table: str
    columns: Mapping[str, str]


def built_in_streams(
    folder: Path | None = None, columns: dict[str, Any] | None = None, where: str = ""
) -> list[Stream]:
    """One stream for each table; takes and raises what `load_mappings` takes and raises."""
    return [
        Stream(
            table.stream,
            table.table,
            {column.name: column.kind.in_stream for column in table.columns},
        )
        for table in load_tables(folder, columns, where)
    ]


class Losses(dict[str, Counter[str]]):
    """What 204 hides, by kind: counts by stream, by table, or by `table.column`.

    What Azure does with values of another type is not known.
    """

    def __init__(self) -> None:
        super().__init__((kind, Counter()) for kind in _KINDS)


class Received:
    """Rows by table, as JSON, in order of arrival; safe to use from many threads."""

    def __init__(self, streams: Iterable[Stream], file: BinaryIO | None = None) -> None:
        self.streams = {stream.name: stream for stream in streams}
        self.lines: dict[str, list[bytes]] = {one.table: [] for one in self.streams.values()}
        self.losses = Losses()
        self._file = file
        self._lock = Lock()

    def add(self, table: str, lines: list[bytes], losses: Losses) -> None:
        """Keeps what one request brought."""
        with self._lock:
            for kind, counts in losses.items():
                self.losses[kind].update(counts)
            self.lines[table].extend(lines)
            if self._file is not None:
                self._file.write(b"".join(_with_table(table, line) for line in lines))
                self._file.flush()

    def counts(self) -> dict[str, int]:
        """Rows by table, of the tables that have any."""
        with self._lock:
            return {table: len(lines) for table, lines in self.lines.items() if lines}

    def total(self) -> int:
        """Rows of all tables."""
        return sum(self.counts().values())


def _with_table(table: str, line: bytes) -> bytes:
    """A row as a line of NDJSON that names its table."""
    comma = b"," if len(line) > 2 else b""
    return b'{"_table":%b%b%b\n' % (msgspec.json.encode(table), comma, line[1:])


def fitted(row: dict[str, Any], stream: Stream, losses: Losses, *, keep_times: bool) -> bytes:
    """The row as the table would show it, as JSON; `losses` counts what goes."""
    kept: dict[str, Any] = {}
    for name, value in row.items():
        kind, column = stream.columns.get(name), f"{stream.table}.{name}"
        if kind is None:
            losses["undeclared_columns"][column] += 1
            continue
        if value is not None and not _takes(kind, value):
            losses["values_of_another_type"][column] += 1
        kept[name] = value
    now = datetime.now(UTC)
    if _TIME in stream.columns and not _is_near(kept.get(_TIME), now):
        losses["times_replaced"][stream.table] += 1
        if not keep_times:
            kept[_TIME] = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    line = msgspec.json.encode(kept)
    if len(line) <= MAX_VALUE:  # no value can be longer than its row
        return line
    for name, value in kept.items():
        encoded = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
        if len(encoded) > MAX_VALUE:
            losses["truncated_values"][f"{stream.table}.{name}"] += 1
            kept[name] = encoded[:MAX_VALUE].decode(errors="ignore")
    return msgspec.json.encode(kept)


def _is_near(value: Any, now: datetime) -> bool:
    try:
        return now - OLDEST <= parse_time(value) <= now + NEWEST
    except (AttributeError, ValueError):
        return False


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
