"""Rows that have arrived, and what Azure would have lost of them in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, overload

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

Row = dict[str, Any]
Column = tuple[str, str]
"""Table and name."""


class Rows(Sequence[Row]):
    """The rows of one table, in order of arrival.

    Held as JSON and decoded when they are looked at, since a test may send hundreds of thousands.
    """

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [_decode(line) for line in self.lines[index]]
        return _decode(self.lines[index])

    def __iter__(self) -> Iterator[Row]:
        return map(_decode, self.lines[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def _decode(line: bytes) -> Row:
    row: Row = msgspec.json.decode(line)
    return row


@dataclass(slots=True)
class Losses:
    """What 204 hides.

    Attributes:
        objects: bodies that were one object instead of an array, by stream.
        elements: array elements that were no objects, by stream.
        dropped: values of columns that the stream does not declare.
        truncated: values that were longer than 64 KiB.
        misfits: values that are not of their column's type; kept here, unknown what Azure does.
        times: rows whose TimeGenerated was replaced, by table.
    """

    objects: Counter[str] = field(default_factory=Counter)
    elements: Counter[str] = field(default_factory=Counter)
    dropped: Counter[Column] = field(default_factory=Counter)
    truncated: Counter[Column] = field(default_factory=Counter)
    misfits: Counter[Column] = field(default_factory=Counter)
    times: Counter[str] = field(default_factory=Counter)

    def add(self, other: Losses) -> None:
        """Adds what one request lost."""
        self.objects += other.objects
        self.elements += other.elements
        self.dropped += other.dropped
        self.truncated += other.truncated
        self.misfits += other.misfits
        self.times += other.times

    def plain(self) -> dict[str, Any]:
        """For JSON: columns as `table.column`."""
        counted: dict[str, Counter[Any]] = {
            "single_objects": self.objects,
            "elements_not_objects": self.elements,
            "undeclared_columns": self.dropped,
            "truncated_values": self.truncated,
            "values_of_another_type": self.misfits,
            "times_replaced": self.times,
        }
        return {
            name: {k if isinstance(k, str) else ".".join(k): n for k, n in sorted(counts.items())}
            for name, counts in counted.items()
        }


class Received:
    """Safe to use from many threads."""

    def __init__(self, tables: list[str], file: BinaryIO | None = None) -> None:
        self.rows = {table: Rows([]) for table in tables}
        self.losses = Losses()
        self._file = file
        self._lock = Lock()

    def add(self, table: str, lines: list[bytes], losses: Losses) -> None:
        """Keeps what one request brought."""
        with self._lock:
            self.losses.add(losses)
            self.rows[table].lines.extend(lines)
            if self._file is not None:
                self._file.write(b"".join(with_table(table, line) for line in lines))
                self._file.flush()

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        with self._lock:
            return {table: len(rows) for table, rows in self.rows.items()}


def with_table(table: str, line: bytes) -> bytes:
    """A row as a line of NDJSON that names its table."""
    comma = b"," if len(line) > 2 else b""
    return b'{"_table":%b%b%b\n' % (msgspec.json.encode(table), comma, line[1:])
