"""Bodies as they come over the wire: framing, limits, gzip."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedIOBase

MAX_WIRE: Final = 1_048_576
"""Bytes of a body on the wire."""
MAX_PLAIN: Final = 50 * 1024 * 1024
"""Bytes of a body once decompressed."""
_GZIP: Final = 31
_BLOCK: Final = 1_048_576


class UnreadableBody(Exception):
    """The body is not what its headers say."""


class BodyTooLong(Exception):
    """More than `MAX_PLAIN` bytes once decompressed."""


def receive(stream: BufferedIOBase, headers: Mapping[str, str]) -> tuple[bytes, int]:
    """A body, empty when it is longer than `MAX_WIRE`, and its length.

    Raises:
        ConnectionError: the client went away within it.
        UnreadableBody: its framing cannot be understood.
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


def _sizes(stream: BufferedIOBase, headers: Mapping[str, str]) -> Iterator[int]:
    """The sizes of the body's parts; between two of them the part has been read."""
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        length = headers.get("content-length", "0").strip()
        if not length.isdecimal():
            raise UnreadableBody("Content-Length is not a number")
        yield int(length)
        return
    while True:
        line = (_line(stream) or _line(stream)).partition(b";")[0]
        if not line or line.strip(b"0123456789abcdefABCDEF"):
            raise UnreadableBody("a chunk's size is not a number")
        if not int(line, 16):
            break
        yield int(line, 16)
    while _line(stream):
        pass  # trailers


def _line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(65_536)
    if not line.endswith(b"\n"):
        raise ConnectionError("the client went away")
    return line.strip()


def unpack(body: bytes, encoding: str) -> bytes:
    """Undo a content encoding.

    Raises:
        UnreadableBody: an unknown encoding, or broken gzip.
        BodyTooLong: it would be longer than allowed.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise UnreadableBody(f"Content-Encoding {encoding!r} is not supported")
    plain = bytearray()
    while body:  # a gzip file may have several members
        member = zlib.decompressobj(_GZIP)
        try:
            plain += member.decompress(body, MAX_PLAIN + 1 - len(plain))
        except zlib.error as error:
            raise UnreadableBody(f"not gzip: {error}") from None
        if len(plain) > MAX_PLAIN:
            raise BodyTooLong
        if not member.eof:
            raise UnreadableBody("not gzip: it breaks off")
        body = member.unused_data
    return bytes(plain)
