"""Rows that say nothing new: what differs from the last row of its id in volatile columns only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sentinelone_source.mapping.numbers import encode
from sentinelone_source.mapping.rows.limits import MAX_LINE

if TYPE_CHECKING:
    from sentinelone_source.mapping.spec.model import Mapping

UNKNOWN = b""
"""Digest of what is like no row."""
_DIGEST = 12
"""Bytes of a digest: with an id and a time it takes at most 64 in the state."""


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


Changed = Callable[[list[Content]], Sequence[int]]
"""From new rows of a page, in order: the places of those that are to be handed over."""


class LastRow(NamedTuple):
    """The last row of an id that was handed over."""

    position: int
    digest: bytes

    def is_repeated_by(self, row: Content, heartbeat: int) -> bool:
        """Whether a row need not be handed over: it is no older, and newer by less than that."""
        alike = row.digest == self.digest and row.digest != UNKNOWN
        return alike and 0 <= row.position - self.position < heartbeat


class ContentReader:
    """Reads what rows of one mapping say."""

    def __init__(self, mapping: Mapping) -> None:
        names = {column.name: f"c{n}" for n, column in enumerate(mapping.columns)}
        self._volatile = [(names[name], len(f',"{name}":')) for name in mapping.ordering.volatile]
        self._versioned = mapping.ordering.version is not None

    def read(self, row: Any, key: str, position: int) -> Content:
        """What a row says, of which the key and the position are known."""
        size, values = 1, []
        for field, extra in self._volatile:
            value = getattr(row, field)
            if value is not None:
                values.append((field, value))
                size += extra + (len(value) + 2 if type(value) is str else len(encode(value)))
                setattr(row, field, None)
        rest = encode(row)
        size += len(rest)
        for field, value in values:
            setattr(row, field, value)
        id_ = key.rpartition("@")[0] if self._versioned else ""
        digest = UNKNOWN if size > MAX_LINE else hashlib.sha256(rest).digest()[:_DIGEST]
        return Content(id_ or key, position, digest, size)
