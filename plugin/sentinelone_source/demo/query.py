"""Query parameters of a list request, checked as strictly as the console checks them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sentinelone_source.demo import cursors
from sentinelone_source.demo.index import Selection, sort_key
from sentinelone_source.times import parse_moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentinelone_source.demo.endpoints import Endpoint
    from sentinelone_source.demo.index import Values

    Match = Callable[[Values], bool]

Parameters = Mapping[str, list[str]]
MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 10
_HIDDEN_TYPES: Final = frozenset((5009,))
"""Types of activities that only those see who ask for them."""
_COMMON: Final = ("limit", "skip", "cursor", "countOnly", "skipCount", "sortBy", "sortOrder")
_BETWEEN: Final = re.compile(r"(\d+)-(\d+)")
_FOREVER: Final = 1 << 62


class InvalidQueryError(Exception):
    """A parameter that the console refuses; the message is the answer's `detail`."""


class Query(NamedTuple):
    """A list request, understood."""

    selection: Selection
    sort: str
    order: str
    limit: int
    skip: int
    count_only: bool
    skip_count: bool


def read(parameters: Parameters, endpoint: Endpoint) -> Query:
    """Raises InvalidQueryError, or InvalidCursorError of `cursors`."""
    asked = {name: values[-1] for name, values in parameters.items()}
    _refuse_unknown(asked, endpoint)
    cursor = after = None
    if asked.get("cursor"):
        cursor, value = cursors.unpack(asked["cursor"], endpoint)
        path = endpoint.sorts[cursor.sort_by_column]
        after = sort_key(endpoint, value, str(cursor.id_value), path)
    sort, order = _order(asked, endpoint, cursor)
    path = endpoint.sorts[sort]
    ranges = _ranges(asked, endpoint)
    low, high = ranges.pop(path, (None, None))
    matches = [_within(other, *bounds) for other, bounds in ranges.items()]
    matches += _choices(parameters, endpoint)
    return Query(
        Selection(path, order == "desc", low, high, after, tuple(matches)),
        sort,
        order,
        _number(asked, "limit", DEFAULT_LIMIT, least=1),
        _number(asked, "skip", 0, least=0),
        _flag(asked, "countOnly"),
        _flag(asked, "skipCount"),
    )


def _refuse_unknown(asked: Mapping[str, str], endpoint: Endpoint) -> None:
    known = {*_COMMON, *endpoint.lists, *endpoint.booleans, *endpoint.flags}
    for name in asked:
        prefix, _, comparison = name.partition("__")
        is_range = prefix in endpoint.times and comparison in endpoint.comparisons
        if name not in known and not is_range:
            raise InvalidQueryError(f"Unknown field: {name}")


def _order(
    asked: Mapping[str, str], endpoint: Endpoint, cursor: cursors.Cursor | None
) -> tuple[str, str]:
    sort, order = asked.get("sortBy"), asked.get("sortOrder")
    if sort is not None and sort not in endpoint.sorts:
        raise InvalidQueryError(f"sortBy: Not a valid choice: {sort}")
    if order not in {None, "asc", "desc"}:
        raise InvalidQueryError(f"sortOrder: Not a valid choice: {order}")
    if cursor is not None:
        if sort not in {None, cursor.sort_by_column} or order not in {None, cursor.sort_order}:
            raise cursors.InvalidCursorError
        return cursor.sort_by_column, cursor.sort_order
    return sort or "id", order or ("desc" if endpoint.newest_first else "asc")


def _ranges(asked: Mapping[str, str], endpoint: Endpoint) -> dict[str, tuple[int, int]]:
    """The inclusive bounds of each path that is compared."""
    ranges: dict[str, tuple[int, int]] = {}
    for name, text in asked.items():
        prefix, _, comparison = name.partition("__")
        if comparison:
            low, high = _range(name, comparison, text)
            so_far = ranges.get(endpoint.times[prefix], (0, _FOREVER))
            ranges[endpoint.times[prefix]] = max(low, so_far[0]), min(high, so_far[1])
    return ranges


def _range(name: str, comparison: str, text: str) -> tuple[int, int]:
    if comparison == "between":
        if not (bounds := _BETWEEN.fullmatch(text)):
            raise InvalidQueryError(f"{name}: Not a valid range of timestamps")
        return int(bounds[1]) * 1000, int(bounds[2]) * 1000
    try:
        at = parse_moment(text)
    except ValueError as error:
        raise InvalidQueryError(f"{name}: Not a valid datetime") from error
    bounds_of = {"gte": (at, _FOREVER), "gt": (at + 1, _FOREVER), "lte": (0, at), "lt": (0, at - 1)}
    return bounds_of[comparison]


def _within(path: str, low: int, high: int) -> Match:
    return lambda values: low <= values[path] <= high


def _choices(parameters: Parameters, endpoint: Endpoint) -> list[Match]:
    chosen = {
        path: _listed(parameters, name)
        for name, path in endpoint.lists.items()
        if name in parameters
    }
    for name in endpoint.booleans:
        if name in parameters:
            chosen[name] = frozenset(part.capitalize() for part in _listed(parameters, name))
            if not chosen[name] <= {"True", "False"}:
                raise InvalidQueryError(f"{name}: Not a valid boolean")
        elif name in endpoint.hidden:
            chosen[name] = frozenset(("False",))
    matches = [_among(path, choices) for path, choices in chosen.items()]
    asked = {name: values[-1] for name, values in parameters.items()}
    if "includeHidden" in endpoint.flags and not _flag(asked, "includeHidden"):
        matches.append(lambda values: values["activityType"] not in _HIDDEN_TYPES)
    return matches


def _among(path: str, choices: frozenset[str]) -> Match:
    return lambda values: str(values[path]) in choices


def _listed(parameters: Parameters, name: str) -> frozenset[str]:
    return frozenset(part.strip() for text in parameters[name] for part in text.split(","))


def _flag(asked: Mapping[str, str], name: str) -> bool:
    text = asked.get(name, "false").lower() or "false"
    if text not in {"true", "false"}:
        raise InvalidQueryError(f"{name}: Not a valid boolean")
    return text == "true"


def _number(asked: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text: Any = asked.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= MAX_LIMIT:
        raise InvalidQueryError(f"{name}: Must be between {least} and {MAX_LIMIT}")
    return int(text)
