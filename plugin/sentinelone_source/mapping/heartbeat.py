"""Rows that say nothing new: what differs from the last row of its id in volatile columns only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sentinelone_source.mapping.numbers import encode, encode_lines
from sentinelone_source.mapping.rows.lines import MAX_COLUMN, MAX_LINE, Piece
from sentinelone_source.mapping.rows.lines import encode as encode_rows

if TYPE_CHECKING:
    from collections import Counter

    from sentinelone_source.mapping.spec.model import Mapping

UNKNOWN = b""
"""Digest of what is like no row."""
_DIGEST = 12
"""Bytes of a digest: with an id and a time it takes at most 64 in the state."""
_GAP = b"\0"
"""Stands in a line for the value of a volatile column; JSON has no such byte."""
_RAW_GAP = msgspec.Raw(_GAP)


class Content(NamedTuple):
    """What a row says.

    Attributes:
        id: of the record.
        position: of the record, microseconds since 1970.
        digest: of all columns that are not volatile; `UNKNOWN` if the row may be too long for a
            line.
        size: bytes of its line, but for characters of volatile columns that JSON escapes.
    """

    id: str
    position: int
    digest: bytes
    size: int


class LastRow(NamedTuple):
    """The last row of an id that was handed over."""

    position: int
    digest: bytes

    def is_repeated_by(self, row: Content | LastRow, heartbeat: int) -> bool:
        """Whether a row need not be handed over: it is no older, and newer by less than that."""
        alike = row.digest == self.digest and row.digest != UNKNOWN
        return alike and 0 <= row.position - self.position < heartbeat


class Contents(NamedTuple):
    """What each of some rows says: a list for each attribute of `Content`."""

    ids: list[str]
    positions: list[int]
    digests: list[bytes]
    sizes: list[int]

    def last_rows(self) -> Iterator[LastRow]:
        """The rows, as they are remembered."""
        return map(LastRow, self.positions, self.digests)


class Volatile:
    """The columns of a mapping whose change alone is no news.

    Attributes:
        fields: of the struct of a row.
        extra: bytes that the name of each takes in a line.
        versioned: whether the key of a row ends with its version.
    """

    def __init__(self, mapping: Mapping) -> None:
        names = {column.name: f"c{n}" for n, column in enumerate(mapping.columns)}
        self.fields = [names[name] for name in mapping.ordering.volatile]
        self.extra = [len(f',"{name}":') for name in mapping.ordering.volatile]
        self.versioned = mapping.ordering.version is not None


class Drafts:
    """Lines with gaps instead of the values of volatile columns, which are filled in later.

    So a row is encoded once: the draft is what its digest is made of, and becomes its line.

    Args:
        volatile: columns of the rows.
        rows: which are of no use afterwards.
        at_once: how many to encode together.
    """

    def __init__(self, volatile: Volatile, rows: list[Any], at_once: int) -> None:
        self._volatile, self._rows = volatile, rows
        fields = volatile.fields
        self._values = [[getattr(row, field) for field in fields] for row in rows]
        for field in fields:
            for row in rows:
                setattr(row, field, _RAW_GAP)
        at_once = max(1, at_once)
        self._drafts = [
            draft
            for first in range(0, len(rows), at_once)
            for draft in _lines(encode_lines(rows[first : first + at_once]))
        ]
        self._sizes = [*map(self._size, self._drafts, self._values)]

    def contents(self, keys: list[str], positions: list[int]) -> Contents:
        """What each row says, of which the key and the position are known."""
        ids = keys
        if self._volatile.versioned:
            ids = [key.rpartition("@")[0] or key for key in keys]
        sizes = self._sizes
        digests = [
            UNKNOWN if size > MAX_LINE else hashlib.sha256(draft).digest()[:_DIGEST]
            for draft, size in zip(self._drafts, sizes, strict=True)
        ]
        return Contents(ids, positions, digests, sizes)

    def _size(self, draft: bytes, values: list[Any]) -> int:
        """The bytes of a line, with its line end; each gap is a byte of the draft."""
        try:
            size = len(draft) + len("".join(values).encode())
            return size + len(values) + 1  # a gap has two quotes
        except TypeError:  # not text
            texts = [b"" if value is None else encode(value) for value in values]
        pairs = zip(values, self._volatile.extra, strict=True)
        absent = sum(extra for value, extra in pairs if value is None)
        return len(draft) + len(b"".join(texts)) - len(values) - absent + 1

    def lines(
        self, places: Sequence[int], cut: Counter[str], too_long: list[int]
    ) -> Iterator[Piece]:
        """The lines of rows at these places; see `lines.encode`."""
        plain: list[int] = []
        for number, place in enumerate(places):
            if self._is_plain(place):
                plain.append(place)
                continue
            yield from self._filled(plain)
            plain = []
            left_out: list[int] = []
            yield from encode_rows([self._restored(place)], 1, cut, left_out)
            too_long += [number for _ in left_out]
        yield from self._filled(plain)

    def _is_plain(self, place: int) -> bool:
        """Whether the line of a row is its draft with every gap filled in."""
        # no column can be longer than its row
        return self._sizes[place] <= MAX_COLUMN and None not in self._values[place]

    def _filled(self, places: list[int]) -> Iterator[Piece]:
        """The lines of plain rows, many at once."""
        while places:
            sizes = accumulate(self._sizes[place] for place in places)
            some = sum(size <= MAX_COLUMN for size in sizes)  # each is a piece by itself at least
            first, places = places[:some], places[some:]
            drafts = b"\n".join([*(self._drafts[place] for place in first), b""])
            template = drafts.replace(b"%", b"%%").replace(_GAP, b"%b")
            values = [encode(value) for place in first for value in self._values[place]]
            yield Piece(template % (*values,), len(first))

    def _restored(self, place: int) -> Any:
        row = self._rows[place]
        for field, value in zip(self._volatile.fields, self._values[place], strict=True):
            setattr(row, field, value)
        return row


def _lines(data: bytes) -> Iterator[bytes]:
    """Each line of some, without its line end; this is faster than `split`."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1
