"""`[request]`: which endpoint, how it is asked, and where its answer has what.

A list is asked by a query, anything else by a document with places for what changes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Self
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.numbers import children
from sentinelone_source.mapping.spec.model import Mapping, RequestSpec
from sentinelone_source.times import to_iso
from sentinelone_source.toml import unknown

_PLACE = re.compile(r"\{([a-z_]+)\}")
_SCOPES = {"group_ids": "GROUP", "site_ids": "SITE", "account_ids": "ACCOUNT"}
"""The scope filters of a console, the narrowest first, and their names as types of a scope."""
_BOUNDS = {"from", "from_ms", "until", "until_ms"}
_PLACES = {*_BOUNDS, *_SCOPES, "cursor", "page_size", "scope_ids", "scope_type"}
"""What every body can have places for."""


class PageRequest(msgspec.Struct, frozen=True):
    """A page of a reading.

    Attributes:
        size: records wanted.
        query: query parameters, apart from cursor and size.
        body: a document with places, sent by POST; None for a list by GET.
        values: of the places, apart from cursor, size and scope.
        cursor: that leads to the page; None for the first one.
    """

    size: int
    query: Dict[str, str] = {}
    body: Dict[str, Any] | None = None
    values: Dict[str, Any] = {}
    cursor: str | None = None

    def following(self, cursor: str) -> Self:
        """The page that a cursor leads to."""
        return replace(self, cursor=cursor)

    def sized(self, size: int) -> Self:
        """The same page with so many records."""
        return replace(self, size=size)

    @property
    def params(self) -> dict[str, str]:
        """All query parameters; a list's cursor arrives percent-encoded, and is sent as meant."""
        params = dict(self.query)
        if self.body is None:
            params["limit"] = str(self.size)
            if self.cursor is not None:
                params["cursor"] = unquote(self.cursor)
        return params

    def document(self, scope: Dict[str, Sequence[str]]) -> Any:
        """The document to send; None for a list.

        Ids of `site_ids`, `account_ids` and `group_ids` are the scope; a query that takes only one
        kind gets the narrowest.
        """
        if self.body is None:
            return None
        values = {**self.values, "page_size": self.size, **scope}
        if self.cursor is not None:
            values["cursor"] = self.cursor
        for name, kind in _SCOPES.items():
            if name in scope:
                values |= {"scope_ids": scope[name], "scope_type": kind}
                break
        return _filled(self.body, values)


def page_requests(mapping: Mapping, start: int | None, until: int | None) -> list[PageRequest]:
    """The first page of each pass over some positions.

    Without a start from the first one that there is; the end is exclusive.
    """
    spec, ordering = mapping.request, mapping.ordering
    params = {name: _query_value(value) for name, value in spec.params.items()}
    start = None if start is None else max(0, start)
    if spec.body is not None:
        values: dict[str, Any] = {}
        if start is not None:
            values |= {"from": to_iso(start), "from_ms": start // 1000}
        if until is not None:  # a rounded bound admits more records, never fewer
            values |= {"until": to_iso(until), "until_ms": -(-until // 1000)}
        return [
            PageRequest(spec.page_size, params, spec.body, {**values, **one})
            for one in spec.passes or ({},)
        ]
    order = {"sortBy": str(ordering.sort_by), "sortOrder": "asc", "skipCount": "true"}
    bounds = ((ordering.filter, start), (ordering.until, until))
    asked = {name: to_iso(at) for name, at in bounds if name and at is not None}
    return [PageRequest(spec.page_size, params | order | asked)]


def _places_of(value: Any) -> set[str]:
    """The names of all places in a document."""
    if isinstance(value, str):
        return {place[1]} if (place := _PLACE.fullmatch(value)) else set()
    return set().union(*map(_places_of, children(value)))


def _filled(value: Any, values: Dict[str, Any]) -> Any:
    """A part of a document with its places filled; UNSET where nothing is left of it.

    What goes: a place without a value, an item of a list whose places are all without, and an
    object or list that is empty then.
    """
    if isinstance(value, str):
        place = _PLACE.fullmatch(value)
        return values.get(place[1], msgspec.UNSET) if place else value
    filled: Any = value
    if isinstance(value, dict):
        parts = {name: _filled(part, values) for name, part in value.items()}
        filled = {name: part for name, part in parts.items() if part is not msgspec.UNSET}
    elif isinstance(value, list):
        wanted = (
            item for item in value if not (places := _places_of(item)) or places & set(values)
        )
        items = [_filled(item, values) for item in wanted]
        filled = [item for item in items if item is not msgspec.UNSET]
    return msgspec.UNSET if filled != value and filled in ({}, []) else filled


# Parts of a URL: a path below the API, names of query parameters, values of `sortBy`.
_URL_PATH = re.compile(r"/?[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?")
_QUERY_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def check_request(request: RequestSpec, where: str) -> RequestSpec:
    """Check how an endpoint is asked, or raise ConfigError; a URL takes its path as given back."""
    where = f"{where}: request"
    if not _URL_PATH.fullmatch(request.path):
        raise ConfigError(f"{where}.path: {request.path!r}: takes letters, digits, / - _ and .")
    if not 1 <= request.page_size <= 1000:
        raise ConfigError(f"{where}.page_size: {request.page_size} is not 1 to 1000")
    for name in request.params:
        check_query_name(name, f"{where}.params")
    _check_body(request, where)
    _check_answer_paths(request, where)
    return replace(request, path=request.path.strip("/"))


def check_query_name(name: str, place: str) -> None:
    """Raise ConfigError for what has no place in a query."""
    if not _QUERY_NAME.fullmatch(name):
        raise ConfigError(f"{place}: {name!r}: takes letters, digits, _ . and -")


def _query_value(value: str | int | bool | list[str | int]) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_answer_paths(request: RequestSpec, where: str) -> None:
    """No two of the places where an answer has something lie within each other."""
    keys = ("records", "cursor", "more", "errors")
    paths = {key: path for key in keys if (path := getattr(request, key))}
    for key, path in paths.items():
        takes_items = key in ("records", "errors")
        if not path.members or path.rest or (path.each is not None and not takes_items):
            items = ", and `[*]` for the items of a list" if takes_items else ""
            raise ConfigError(f"{where}.{key}: takes a path of member names, as '$.data'{items}")
    for (key, path), (other, inside) in combinations(paths.items(), 2):
        shorter = min(len(path.members), len(inside.members))
        if path.members[:shorter] == inside.members[:shorter]:
            raise ConfigError(f"{where}.{other}: {inside.text} and {key}, {path.text}, overlap")


def _check_body(request: RequestSpec, where: str) -> None:
    names = {name for one in request.passes for name in one}
    if request.body is None:
        if names:
            raise ConfigError(f"{where}.passes: needs a body with placeholders for their values")
        return
    _check_json(request.body, f"{where}.body")
    places = _places_of(request.body)
    for name in places - _PLACES - names:
        raise ConfigError(f"{where}.body: {unknown('placeholder', name, _PLACES | names)}")
    for name in sorted(names - places | names & _PLACES):
        raise ConfigError(f"{where}.passes: {name!r} needs a placeholder in the body")
    for wanted in ({"cursor"}, {"page_size"}, {"from", "from_ms"}):
        if not places & wanted:
            listed = " or ".join(f"'{{{name}}}'" for name in sorted(wanted))
            raise ConfigError(f"{where}.body: needs a placeholder {listed}")


def _check_json(value: Any, place: str) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            _check_json(part, f"{place}.{name}")
    elif isinstance(value, list):
        for part in value:
            _check_json(part, place)
    elif not isinstance(value, str | int) and not (
        isinstance(value, float) and math.isfinite(value)
    ):
        raise ConfigError(f"{place}: takes text, numbers, booleans, lists and tables, not {value}")
