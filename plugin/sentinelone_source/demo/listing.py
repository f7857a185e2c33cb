"""A list request: parameters, checked as strictly as the console checks them; a page of records."""

from __future__ import annotations

import base64
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec

from sentinelone_source.demo.endpoints import NO_TIME, Endpoint, InvalidQuery, Place
from sentinelone_source.demo.golden import text
from sentinelone_source.demo.world import DemoWorld
from sentinelone_source.times import from_micros, parse_moment

Order = Literal["asc", "desc"]
Parameters = Mapping[str, list[str]]
_COMPARISONS: Final = ("lt", "gt", "lte", "gte")
_INVALID_CURSOR: Final = "Invalid cursor value received"
_NEVER: Final = 1 << 62


class _Common(msgspec.Struct, rename="camel"):
    """The parameters of every list."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    skip: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    cursor: str = ""
    count_only: bool = False
    skip_count: bool = False
    sort_by: str | None = None
    sort_order: Order | None = None


class _Cursor(msgspec.Struct, forbid_unknown_fields=True):
    """The last row that was delivered and the order it was delivered in."""

    id_column: str
    id_value: int | str
    sort_by_column: str
    sort_by_value: int | str | None
    sort_order: Order


def page(world: DemoWorld, endpoint: Endpoint, parameters: Parameters) -> bytes:
    """The body of the answer; a full last page is followed by an empty one. Raises InvalidQuery."""
    _refuse_unknown(parameters, endpoint)
    try:
        last = {name: values[-1] for name, values in parameters.items()}
        asked = msgspec.convert(last, _Common, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidQuery(str(error)) from None
    cursor, after = _read_cursor(asked.cursor, endpoint)
    sort, order = _order(asked, endpoint, cursor)
    path, filters = endpoint.sorts[sort], list(_filters(parameters, endpoint))
    found = sorted(
        (endpoint.place(path, item.values[path], item.id), item)
        for item in world.items(endpoint.name)
        if all(endpoint.filtered(item.values, by) in wanted for by, wanted in filters)
    )
    total = 0 if asked.skip_count else len(found)
    if asked.count_only:
        return _body([], "null", total)
    if order == "desc":
        found.reverse()
    if after is not None:
        found = [one for one in found if (one[0] < after if order == "desc" else one[0] > after)]
    shown = found[asked.skip : asked.skip + asked.limit]
    is_last = len(shown) < asked.limit
    following = "null" if is_last else _write_cursor(endpoint, sort, order, shown[-1][0])
    return _body([item.encoded for _, item in shown], following, total)


def _body(records: list[bytes], cursor: str, total: int) -> bytes:
    parts = (b",".join(records), cursor.encode(), total)
    return b'{"data":[%b],"pagination":{"nextCursor":%b,"totalItems":%d}}' % parts


def _write_cursor(endpoint: Endpoint, sort: str, order: Order, place: Place) -> str:
    """The cursor after a record as a JSON string, percent-encoded as the console delivers it.

    A blank after the JSON makes its length one that needs padding, so that every cursor shows
    whether a client decodes it.
    """
    value, _, identifier = place
    if endpoint.sorts[sort] in endpoint.time_paths:
        value = None if value == NO_TIME else text(from_micros(value))
    is_number = identifier.isdecimal() and not identifier.startswith("0")
    number = int(identifier) if is_number else identifier
    if endpoint.sorts[sort] == endpoint.id:
        value = number
    encoded = msgspec.json.encode(_Cursor(_id_column(endpoint), number, sort, value, order))
    padded = encoded.ljust(len(encoded) + (1 - len(encoded)) % 3)
    return f'"{quote(base64.b64encode(padded).decode(), safe="")}"'


def _read_cursor(encoded: str, endpoint: Endpoint) -> tuple[_Cursor | None, Place | None]:
    """A cursor as it arrives after query decoding, and the place to go on after."""
    if not encoded:
        return None, None
    try:
        cursor = msgspec.json.decode(base64.b64decode(encoded, validate=True), type=_Cursor)
        path, value = endpoint.sorts[cursor.sort_by_column], cursor.sort_by_value
        if path in endpoint.time_paths:
            value = NO_TIME if value is None else parse_moment(str(value))
    except (msgspec.DecodeError, ValueError, KeyError) as error:
        raise InvalidQuery(_INVALID_CURSOR) from error
    if cursor.id_column != _id_column(endpoint):
        raise InvalidQuery(_INVALID_CURSOR)
    return cursor, endpoint.place(path, value, str(cursor.id_value))


def _id_column(endpoint: Endpoint) -> str:
    return f"{endpoint.name.capitalize()}View.id"


def _refuse_unknown(names: Iterable[str], endpoint: Endpoint) -> None:
    common = {field.encode_name for field in msgspec.structs.fields(_Common)}
    known = {*common, *endpoint.lists, *endpoint.flags}
    for name in names:
        prefix, _, comparison = name.partition("__")
        is_range = prefix in endpoint.times and comparison in _COMPARISONS
        if name not in known and not is_range:
            raise InvalidQuery(f"Unknown field: {name}")


def _order(asked: _Common, endpoint: Endpoint, cursor: _Cursor | None) -> tuple[str, Order]:
    sort, order = asked.sort_by, asked.sort_order
    if sort is not None and sort not in endpoint.sorts:
        raise InvalidQuery(f"sortBy: Not a valid choice: {sort}")
    if cursor is None:
        return sort or "id", order or ("desc" if endpoint.newest_first else "asc")
    if sort not in {None, cursor.sort_by_column} or order not in {None, cursor.sort_order}:
        raise InvalidQuery(_INVALID_CURSOR)
    return cursor.sort_by_column, cursor.sort_order


def _filters(parameters: Parameters, endpoint: Endpoint) -> Iterator[tuple[str, Container[Any]]]:
    """What is filtered by: a path, and the moments or the texts, in lower case, that are wanted."""
    for name, values in parameters.items():
        prefix, _, comparison = name.partition("__")
        if not comparison:
            continue
        try:
            at = parse_moment(values[-1])
        except ValueError as error:
            raise InvalidQuery(f"{name}: Not a valid datetime") from error
        begin = {"gte": at, "gt": at + 1}.get(comparison, 0)
        end = {"lte": at + 1, "lt": at}.get(comparison, _NEVER)
        yield endpoint.times[prefix], range(begin, end)
    for name, path in endpoint.lists.items():
        texts = parameters.get(name, ["false"] if name in endpoint.hidden else [])
        if wanted := {part.strip().lower() for text in texts for part in text.split(",")}:
            yield path, wanted
