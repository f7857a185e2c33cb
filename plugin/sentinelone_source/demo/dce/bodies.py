"""What comes over the wire: transfer encoding, limits, gzip."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedIOBase

MAX_WIRE: Final = 1_048_576
"""Bytes of a body on the wire."""
MAX_PLAIN: Final = 50 * 1024 * 1024
"""Bytes of a body once decompressed."""
_GZIP: Final = 31
_BLOCK: Final = 1_048_576


class BrokenBody(Exception):
    """The body is not what its headers say."""


class TooLong(Exception):
    """More than `MAX_PLAIN` bytes once decompressed."""


def receive(stream: BufferedIOBase, headers: Mapping[str, str]) -> tuple[bytes, int]:
    """Read a body to its end.

    Returns:
        The body, empty when it is longer than `MAX_WIRE`, and its length.

    Raises:
        ConnectionError: the client went away within it.
        BrokenBody: its framing cannot be understood.
    """
    kept, length = bytearray(), 0
    for size in _sizes(stream, headers):
        remaining = size
        while remaining:
            block = stream.read(min(remaining, _BLOCK))
            if not block:
                raise ConnectionError("the client went away")
            remaining -= len(block)
            length += len(block)
            if length <= MAX_WIRE:
                kept += block
    return (bytes(kept) if length <= MAX_WIRE else b""), length


def _sizes(stream: BufferedIOBase, headers: Mapping[str, str]) -> list[int] | _Chunks:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _Chunks(stream)
    length = headers.get("content-length", "0").strip()
    if not length.isdecimal():
        raise BrokenBody("Content-Length is not a number")
    return [int(length)]


class _Chunks:
    """The sizes of a chunked body; between two of them the chunk has been read."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream

    def __iter__(self) -> _Chunks:
        return self

    def __next__(self) -> int:
        line = self._line() or self._line()
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            size = -1
        if size < 0:
            raise BrokenBody("a chunk's size is not a number")
        if not size:
            while self._line():
                pass  # trailers
            raise StopIteration
        return size

    def _line(self) -> bytes:
        line = self._stream.readline(65_536)
        if not line.endswith(b"\n"):
            raise ConnectionError("the client went away")
        return line.strip()


def unpack(body: bytes, encoding: str) -> bytes:
    """Undo a content encoding.

    Raises:
        BrokenBody: an unknown encoding, or broken gzip.
        TooLong: it would be longer than allowed.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise BrokenBody(f"Content-Encoding {encoding!r} is not supported")
    plain = bytearray()
    while body:  # a gzip file may have several members
        member = zlib.decompressobj(_GZIP)
        try:
            plain += member.decompress(body, MAX_PLAIN + 1 - len(plain))
        except zlib.error as error:
            raise BrokenBody(f"not gzip: {error}") from None
        if len(plain) > MAX_PLAIN:
            raise TooLong
        if not member.eof:
            raise BrokenBody("not gzip: it breaks off")
        body = member.unused_data
    return bytes(plain)
