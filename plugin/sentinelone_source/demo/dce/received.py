"""Rows that have arrived, and what Azure would have lost of them in silence."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from typing import BinaryIO

Row = dict[str, Any]


KINDS: Final = (
    "single_objects",
    "elements_not_objects",
    "undeclared_columns",
    "truncated_values",
    "values_of_another_type",
    "times_replaced",
)


class Losses(dict[str, Counter[str]]):
    """What 204 hides, by kind: counts by stream, by table, or by `table.column`.

    A body that was one object instead of an array, elements of an array that were no objects,
    values of columns that the stream does not declare, or of more than 64 KiB; rows whose
    TimeGenerated was replaced. What Azure does with values of another type is not known.
    """

    def __init__(self) -> None:
        super().__init__((kind, Counter()) for kind in KINDS)

    def add(self, other: Losses) -> None:
        """Adds what one request lost."""
        for kind, counts in other.items():
            self[kind].update(counts)


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
        """Rows by table, of the tables that have any."""
        with self._lock:
            return {table: len(lines) for table, lines in self.lines.items() if lines}


def with_table(table: str, line: bytes) -> bytes:
    """A row as a line of NDJSON that names its table."""
    comma = b"," if len(line) > 2 else b""
    return b'{"_table":%b%b%b\n' % (msgspec.json.encode(table), comma, line[1:])
