"""Decompress bodies of answers: gzip, zlib or raw deflate, or not compressed.

`Content-Encoding` is often missing or wrong behind proxies, so the first bytes of the body decide:
JSON never begins like a gzip or zlib stream. Only raw deflate has no header; it is tried if
`Content-Encoding` names deflate.

If `isal` is installed, it is used instead of `zlib`, because it takes less CPU.
"""

from __future__ import annotations

import codecs
import contextlib
import zlib
from typing import Any

_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP, _RAW = 16 + zlib.MAX_WBITS, -zlib.MAX_WBITS
_MOST_LAYERS = 5
"""How many compressions, one within the other, are undone; curl and urllib3 have the same limit."""
_LARGEST_GUESS = 1 << 26
_BROKEN = "the compressed body is broken, or ends early"
_COMPRESSIONS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"})


def _fastest() -> Any:
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib


FASTEST = _fastest()
"""The module that unpacks: `isal.isal_zlib`, or `zlib`, whose functions it has."""


class BrokenBody(Exception):
    """A compressed stream is broken, ends early, or has an encoding that was not asked for."""


def decoded(body: bytes, encoding: str, unpacker: Any = FASTEST) -> bytes:
    """The JSON text of a body, without compression and byte order mark.

    Raises BrokenBody. `encoding` is its `Content-Encoding`; empty if it has none.
    """
    claims = {claim.strip().lower() for claim in encoding.split(",")}
    for _ in range(_MOST_LAYERS):
        try:
            unpacked = _unpacked(body, unpacker, may_be_raw="deflate" in claims)
        except (zlib.error, unpacker.error):
            raise BrokenBody(_BROKEN) from None
        if unpacked is None:
            break
        body = unpacked
    body = body.removeprefix(codecs.BOM_UTF8)
    if claims & _COMPRESSIONS and body.lstrip()[:1] not in (b"{", b"[", b""):
        raise BrokenBody(f"the body cannot be read as {encoding}")
    return body


def _unpacked(body: bytes, unpacker: Any, *, may_be_raw: bool) -> bytes | None:
    """The body without its outermost compression; None if it has none."""
    if body.startswith(_GZIP_MAGIC):
        return _gunzipped(body, unpacker)
    if len(body) > 1 and body[0] & 15 == zlib.DEFLATED and int.from_bytes(body[:2]) % 31 == 0:
        try:
            return bytes(unpacker.decompress(body))
        except (zlib.error, unpacker.error):
            if not may_be_raw:
                raise
    if may_be_raw:
        stream = unpacker.decompressobj(_RAW)
        with contextlib.suppress(zlib.error, unpacker.error):
            unpacked = bytes(stream.decompress(body))
            if stream.eof and not stream.unused_data:  # JSON text can begin like a deflate stream
                return unpacked
    return None


def _gunzipped(body: bytes, unpacker: Any) -> bytes:
    if body.find(_GZIP_MAGIC, 1) < 0:
        # the stream's last bytes are the size of its content: one buffer is enough
        size = int.from_bytes(body[-4:], "little")
        return bytes(unpacker.decompress(body, _GZIP, min(max(size, 1), _LARGEST_GUESS)))
    parts = []
    while body.startswith(_GZIP_MAGIC):
        stream = unpacker.decompressobj(_GZIP)
        parts.append(stream.decompress(body))
        if not stream.eof:
            raise BrokenBody(_BROKEN)
        body = stream.unused_data
    return b"".join(parts)
