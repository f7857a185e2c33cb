"""Lines as the body of a request: packed small while they wait, and opened when one is refused."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

import msgspec

MAX_BATCH = 900_000
"""Bytes of a request to the shipper before gzip; Azure takes 1 MiB."""
_LEVEL = 1
_GZIP = 31


class Batch(NamedTuple):
    """Whole lines of one table in pieces, at most `MAX_BATCH` together."""

    pieces: list[bytes]
    size: int
    rows: int


def pack(pieces: Iterable[tuple[bytes, int]]) -> Iterator[Batch]:
    """Put pieces of whole lines, each with the number of its rows, together up to the limit."""
    batch: list[bytes] = []
    size = rows = 0
    for data, number in pieces:
        if size + len(data) > MAX_BATCH:
            yield Batch(batch, size, rows)
            batch, size, rows = [], 0, 0
        batch.append(data)
        size += len(data)
        rows += number
    if rows:
        yield Batch(batch, size, rows)


class CompressedBatch(msgspec.Struct, eq=False):
    """Whole lines of one table, gzipped.

    `first` is the place of the first of them in its page, and `refused_at` how many batches of its
    table had been taken when it was refused first.
    """

    body: bytes
    first: int
    refused_at: int | None = None

    @classmethod
    def compress(cls, pieces: list[bytes], first: int, refused_at: int | None = None) -> Self:
        packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
        packed = [packer.compress(piece) for piece in pieces]
        return cls(b"".join([*packed, packer.flush()]), first, refused_at)

    def lines(self) -> list[bytes]:
        """The lines, each with its end."""
        return zlib.decompress(self.body, wbits=_GZIP).splitlines(keepends=True)

    def split(self, at: int | None = None) -> list[Self]:
        """Two batches of the same lines, `at` or half of them in the first; none of a lone line."""
        lines = self.lines()
        if len(lines) < 2:
            return []
        at = len(lines) // 2 if at is None else at
        return [
            self.compress(lines[:at], self.first, self.refused_at),
            self.compress(lines[at:], self.first + at, self.refused_at),
        ]
