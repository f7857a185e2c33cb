"""What to ask the console for: the query of a list, or a document with places for what changes."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from sentinelone_source.times import to_iso

if TYPE_CHECKING:
    from sentinelone_source.mapping.spec.model import Mapping

_PLACE = re.compile(r"\{([a-z_]+)\}")
_SCOPES = {"group_ids": "GROUP", "site_ids": "SITE", "account_ids": "ACCOUNT"}
"""The scope filters of a console, the narrowest first, and their names as types of a scope."""
PLACES = {"from", "from_ms", "until", "until_ms", "cursor", "page_size"}
PLACES |= {"scope_ids", "scope_type", *_SCOPES}
"""What every body can have places for."""
_MILLI = 1000


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

        Args:
            scope: ids by `site_ids`, `account_ids` and `group_ids`; the narrowest of them is the
                scope of a query that takes only one kind.
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

    Args:
        mapping: whose records are wanted.
        start: the first position; None for everything there is.
        until: the end, exclusive; None for no end.
    """
    spec, ordering = mapping.request, mapping.ordering
    start = None if start is None else max(0, start)
    if spec.body is not None:
        values: dict[str, Any] = {}
        if start is not None:
            values |= {"from": to_iso(start), "from_ms": start // _MILLI}
        if until is not None:  # rounded, a bound lets in more, and never less
            values |= {"until": to_iso(until), "until_ms": -(-until // _MILLI)}
        return [
            PageRequest(spec.page_size, spec.params, spec.body, {**values, **one})
            for one in spec.passes or ({},)
        ]
    params = {
        **spec.params,
        "sortBy": str(ordering.sort_by),
        "sortOrder": "asc",
        "skipCount": "true",
    }
    bounds = ((ordering.filter, start), (ordering.until, until))
    params |= {name: to_iso(at) for name, at in bounds if name and at is not None}
    return [PageRequest(spec.page_size, params)]


def places_of(value: Any) -> set[str]:
    """The names of all places in a document."""
    if isinstance(value, str):
        return {place[1]} if (place := _PLACE.fullmatch(value)) else set()
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return set()
    return set().union(*map(places_of, value))


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
        items = [_filled(item, values) for item in value if _is_wanted(item, values)]
        filled = [item for item in items if item is not msgspec.UNSET]
    return msgspec.UNSET if filled != value and filled in ({}, []) else filled


def _is_wanted(item: Any, values: Dict[str, Any]) -> bool:
    places = places_of(item)
    return not places or not places.isdisjoint(values)
