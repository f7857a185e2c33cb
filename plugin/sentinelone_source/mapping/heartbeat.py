"""Rows that say nothing new: what differs from the last row of its id in volatile columns only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import astuple

from sentinelone_source.mapping.numbers import Number, encode, encode_into

if TYPE_CHECKING:
    from sentinelone_source.mapping.spec.model import Mapping

DIGEST = 12
"""Bytes of a digest: with an id, a time and a size it takes at most 64 in the state."""
LastRow = tuple[int, int, bytes]
"""The last row of an id: its position in microseconds, the bytes of its line, and its digest."""


class Contents(NamedTuple):
    """What each of some rows says: a list each of ids, positions and digests."""

    ids: list[str]
    positions: list[int]
    digests: list[bytes]


def is_repeat(position: int, digest: bytes, last: LastRow, heartbeat: int) -> bool:
    """Whether a row need not be handed over.

    It is no older than the last one, and newer by less than a heartbeat (microseconds).
    """
    before, _, said = last
    return digest == said and 0 <= position - before < heartbeat


class Digests:
    """Finds out what rows of a mapping say: a digest of all columns that are not volatile."""

    def __init__(self, mapping: Mapping) -> None:
        names, volatile = [one.name for one in mapping.columns], mapping.ordering.volatile
        self._left_out = sorted(map(names.index, volatile), reverse=True)
        self._versioned = mapping.ordering.version is not None
        kept = [one for one in mapping.columns if one.name not in volatile]
        self._names = hashlib.sha256(encode([one.name for one in kept])).digest()
        # MessagePack would not show where copied JSON ends
        self._as_json = any(one.kind.in_table == "dynamic" for one in kept)

    def contents(self, rows: list[Any], keys: list[str], positions: list[int]) -> Contents:
        """What each row says, of which the key and the position are known."""
        ids = [key.rpartition("@")[0] or key for key in keys] if self._versioned else keys
        return Contents(ids, positions, [*self._digests(rows)])

    def _digests(self, rows: list[Any]) -> Iterator[bytes]:
        packed, start = bytearray(self._names), len(self._names)
        pack_into = encode_into if self._as_json else _pack_into
        for row in rows:
            values = [*astuple(row)]
            for place in self._left_out:
                del values[place]
            try:
                pack_into(values, packed, start)
            except OverflowError:  # an integer of more than 64 bits
                encode_into(values, packed, start)
            yield hashlib.sha256(packed).digest()[:DIGEST]


def _plain(number: Number) -> float | str:
    """A number as the compiled mapping has it, if it is written in the same way."""
    value = float(number)
    return value if repr(value) == number.text else number.text


_pack_into = msgspec.msgpack.Encoder(enc_hook=_plain).encode_into
"""Half the time of JSON, and fewer bytes to digest."""
