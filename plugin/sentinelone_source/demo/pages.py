"""One page of a list request, as bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from zlib import crc32

from . import cursors

if TYPE_CHECKING:
    from .endpoints import Endpoint
    from .query import Query
    from .store import Store

_MAX_TOTAL: Final = 50_000
_TOTAL_STEP: Final = 64
_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]")


def build(world: Store, endpoint: Endpoint, query: Query, *, short: bool, extra: bool) -> bytes:
    """The body. `short`: some pages hold fewer than `limit`; `extra`: an empty page may end it."""
    total = 0 if query.skip_count else _total(world, endpoint, query)
    if query.count_only:
        return _body([], None, total)
    limit = _shortened(query) if short else query.limit
    page = world.page(endpoint.name, query.selection, skip=query.skip, limit=limit)
    encoded = [item.encoded for item in page.items]
    if page.end is None or not (page.has_more or (extra and len(encoded) == query.limit)):
        return _body(encoded, None, total)
    return _body(encoded, cursors.pack(endpoint, query.sort, query.order, page.end), total)


def escaped(body: bytes) -> bytes:
    """The same JSON in ASCII."""
    return _NON_ASCII.sub(_escape, body.decode()).encode()


def with_cursor(body: bytes, cursor: str) -> bytes:
    """The same page with another cursor."""
    head, _, tail = body.rpartition(b'"nextCursor":')
    return b'%b"nextCursor":"%b"%b' % (head, cursor.encode(), tail[tail.rindex(b',"total') :])


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _shortened(query: Query) -> int:
    """Depends on where the page begins only, so that the same request has the same answer."""
    is_short = crc32(repr(query.selection.after).encode()) % 2
    return max(1, query.limit * 2 // 3) if is_short else query.limit


def _total(world: Store, endpoint: Endpoint, query: Query) -> int:
    """Never trustworthy: capped, and rounded down."""
    everything = replace(query.selection, after=None)
    total = world.total(endpoint.name, everything, _MAX_TOTAL)
    exact = total < _TOTAL_STEP or total == _MAX_TOTAL
    return total if exact else total - total % _TOTAL_STEP


def _body(records: list[bytes], cursor: str | None, total: int) -> bytes:
    next_cursor = b"null" if cursor is None else b'"%b"' % cursor.encode()
    parts = (b",".join(records), next_cursor, total)
    return b'{"data":[%b],"pagination":{"nextCursor":%b,"totalItems":%d}}' % parts
