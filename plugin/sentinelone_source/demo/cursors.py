"""The console's stateless cursor: where the last page ended, as base64 of JSON."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from sentinelone_source.demo.timestamps import text
from sentinelone_source.times import from_micros, parse_moment

if TYPE_CHECKING:
    from sentinelone_source.demo.endpoints import Endpoint
    from sentinelone_source.demo.index import Key


class InvalidCursorError(Exception):
    """Not a cursor, or one of another endpoint or order."""


class Cursor(msgspec.Struct, forbid_unknown_fields=True):
    """The last row that was delivered and the order it was delivered in."""

    id_column: str
    id_value: int | str
    sort_by_column: str
    sort_by_value: int | str | None
    sort_order: str


def pack(endpoint: Endpoint, sort: str, order: str, key: Key) -> str:
    """The cursor after a row, percent-encoded as the console delivers it.

    A blank after the JSON makes its length one that needs padding, so that every cursor shows
    whether a client decodes it.
    """
    value, _, identifier = key
    if endpoint.sorts[sort] in endpoint.time_paths:
        value = text(from_micros(value)) if value >= 0 else None
    is_number = identifier.isdecimal() and not identifier.startswith("0")
    number = int(identifier) if is_number else identifier
    is_id = endpoint.sorts[sort] == endpoint.id
    cursor = Cursor(endpoint.view, number, sort, number if is_id else value, order)
    encoded = msgspec.json.encode(cursor)
    padded = encoded.ljust(len(encoded) + (1 - len(encoded)) % 3)
    return quote(base64.b64encode(padded).decode(), safe="")


def unpack(encoded: str, endpoint: Endpoint) -> tuple[Cursor, Any]:
    """The cursor as it arrives after query decoding, and the value to go on after."""
    try:
        cursor = msgspec.json.decode(base64.b64decode(encoded, validate=True), type=Cursor)
        value: Any = cursor.sort_by_value
        if endpoint.sorts[cursor.sort_by_column] in endpoint.time_paths:
            value = -1 if value is None else parse_moment(str(value))
    except (msgspec.DecodeError, ValueError, KeyError) as error:
        raise InvalidCursorError from error
    if cursor.id_column != endpoint.view or cursor.sort_order not in {"asc", "desc"}:
        raise InvalidCursorError
    return cursor, value
