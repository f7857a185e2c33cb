"""One page of a list request, as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentinelone_source.demo import cursors

if TYPE_CHECKING:
    from sentinelone_source.demo.endpoints import Endpoint
    from sentinelone_source.demo.query import Query
    from sentinelone_source.demo.world import World

_MAX_TOTAL: Final = 50_000
_TOTAL_STEP: Final = 64


def build(world: World, endpoint: Endpoint, query: Query) -> bytes:
    """The body. A full last page is followed by an empty one."""
    total = 0 if query.skip_count else _total(world, endpoint, query)
    if query.count_only:
        return _body([], None, total)
    page = world.page(endpoint.name, query.selection, skip=query.skip, limit=query.limit)
    encoded = [item.encoded for item, _ in page]
    if len(page) < query.limit:
        return _body(encoded, None, total)
    return _body(encoded, cursors.pack(endpoint, query.sort, query.order, page[-1][1]), total)


def _total(world: World, endpoint: Endpoint, query: Query) -> int:
    """Never trustworthy: capped, and rounded down."""
    everything = query.selection._replace(after=None)
    total = world.total(endpoint.name, everything, _MAX_TOTAL)
    exact = total < _TOTAL_STEP or total == _MAX_TOTAL
    return total if exact else total - total % _TOTAL_STEP


def _body(records: list[bytes], cursor: str | None, total: int) -> bytes:
    next_cursor = b"null" if cursor is None else b'"%b"' % cursor.encode()
    parts = (b",".join(records), next_cursor, total)
    return b'{"data":[%b],"pagination":{"nextCursor":%b,"totalItems":%d}}' % parts
