"""Bodies as they come: compressed in any of the ways that clients read, or not at all.

`Content-Encoding` is often missing or untrue behind proxies, so the body itself decides: JSON never
begins like a compressed stream. Only raw deflate has no sign of its own.
"""

from __future__ import annotations

import codecs
import zlib

_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP, _RAW = 16 + zlib.MAX_WBITS, -zlib.MAX_WBITS
_MOST_LAYERS = 5
"""Of compression, one within the other; curl and urllib3 stop there, too."""
_LARGEST_GUESS = 1 << 26
_BROKEN = "the compressed body is broken, or ends early"
_COMPRESSIONS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"})


class BrokenBody(Exception):
    """A compressed stream that is broken, ends early, or is of a kind that was not asked for."""


def decoded(body: bytes, encoding: str) -> bytes:
    """The JSON text of a body, without compression and byte order mark.

    Args:
        body: as it came.
        encoding: its `Content-Encoding`; empty if it has none.

    Raises:
        BrokenBody: it cannot be decompressed.
    """
    claims = {claim.strip().lower() for claim in encoding.split(",")}
    for _ in range(_MOST_LAYERS):
        unpacked = _unpacked(body, may_be_raw="deflate" in claims)
        if unpacked is None:
            break
        body = unpacked
    body = body.removeprefix(codecs.BOM_UTF8)
    if claims & _COMPRESSIONS and body.lstrip()[:1] not in (b"{", b"[", b""):
        raise BrokenBody(f"the body cannot be read as {encoding}")
    return body


def _unpacked(body: bytes, *, may_be_raw: bool) -> bytes | None:
    """The body without its outermost compression; None if it has none."""
    if body.startswith(_GZIP_MAGIC):
        return _gunzipped(body)
    if len(body) > 1 and body[0] & 15 == zlib.DEFLATED and int.from_bytes(body[:2]) % 31 == 0:
        try:
            return zlib.decompress(body)
        except zlib.error:
            if not may_be_raw:
                raise BrokenBody(_BROKEN) from None
    if may_be_raw:
        try:
            return zlib.decompress(body, _RAW)
        except zlib.error:
            return None
    return None


def _gunzipped(body: bytes) -> bytes:
    try:
        if body.find(_GZIP_MAGIC, 1) < 0:
            # a stream ends with the size of what it holds: the result is not built up in parts
            size = int.from_bytes(body[-4:], "little")
            return zlib.decompress(body, _GZIP, min(max(size, 1), _LARGEST_GUESS))
        parts, is_whole = [], True
        while is_whole and body.startswith(_GZIP_MAGIC):
            stream = zlib.decompressobj(_GZIP)
            parts.append(stream.decompress(body))
            is_whole, body = stream.eof, stream.unused_data
    except zlib.error:
        is_whole = False
    if not is_whole:
        raise BrokenBody(_BROKEN)
    return b"".join(parts)
