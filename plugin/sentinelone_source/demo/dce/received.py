"""Rows that have arrived, and what Azure would have lost of them in silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from typing import BinaryIO

Row = dict[str, Any]


@dataclass(slots=True)
class Losses:
    """What 204 hides.

    Attributes:
        single_objects: bodies that were one object instead of an array, by stream.
        elements_not_objects: array elements that were no objects, by stream.
        undeclared_columns: values of columns that the stream does not declare, by `table.column`.
        truncated_values: values that were longer than 64 KiB, by `table.column`.
        values_of_another_type: kept here, unknown what Azure does; by `table.column`.
        times_replaced: rows whose TimeGenerated was replaced, by table.
    """

    single_objects: Counter[str] = field(default_factory=Counter)
    elements_not_objects: Counter[str] = field(default_factory=Counter)
    undeclared_columns: Counter[str] = field(default_factory=Counter)
    truncated_values: Counter[str] = field(default_factory=Counter)
    values_of_another_type: Counter[str] = field(default_factory=Counter)
    times_replaced: Counter[str] = field(default_factory=Counter)

    def add(self, other: Losses) -> None:
        """Adds what one request lost."""
        for name in self.__slots__:
            getattr(self, name).update(getattr(other, name))

    def plain(self) -> dict[str, dict[str, int]]:
        """For JSON."""
        return {name: dict(sorted(getattr(self, name).items())) for name in self.__slots__}


class Received:
    """Rows by table, as JSON, in order of arrival; safe to use from many threads."""

    def __init__(self, tables: list[str], file: BinaryIO | None = None) -> None:
        self.lines: dict[str, list[bytes]] = {table: [] for table in tables}
        self.losses = Losses()
        self._file = file
        self._lock = Lock()

    def add(self, table: str, lines: list[bytes], losses: Losses) -> None:
        """Keeps what one request brought."""
        with self._lock:
            self.losses.add(losses)
            self.lines[table].extend(lines)
            if self._file is not None:
                self._file.write(b"".join(with_table(table, line) for line in lines))
                self._file.flush()

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        with self._lock:
            return {table: len(lines) for table, lines in self.lines.items()}


def with_table(table: str, line: bytes) -> bytes:
    """A row as a line of NDJSON that names its table."""
    comma = b"," if len(line) > 2 else b""
    return b'{"_table":%b%b%b\n' % (msgspec.json.encode(table), comma, line[1:])
