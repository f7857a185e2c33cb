"""Query parameters of a list request, checked as strictly as the console checks them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sentinelone_source.demo import cursors
from sentinelone_source.demo.endpoints import ENDPOINTS
from sentinelone_source.demo.index import Selection, sort_key
from sentinelone_source.demo.timestamps import micros, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sentinelone_source.demo.endpoints import Endpoint
    from sentinelone_source.demo.index import Values

    Parameters = Mapping[str, list[str]]
    Match = Callable[[Values], bool]

ACTIVITIES: Final = ENDPOINTS["activities"]
HIDDEN: Final = frozenset((5009,))
"""Types of activities that only those see who ask for them."""
MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 10
_COMMON: Final = frozenset(
    ("limit", "skip", "cursor", "countOnly", "skipCount", "sortBy", "sortOrder")
)
_BETWEEN: Final = re.compile(r"(\d+)-(\d+)")
_FOREVER: Final = 1 << 62


class InvalidQueryError(Exception):
    """A parameter that the console refuses; the message is the answer's `detail`."""


@dataclass(frozen=True, slots=True)
class Query:
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
    _refuse_unknown(parameters, endpoint)
    cursor = after = None
    if text := _last(parameters, "cursor"):
        cursor, value = cursors.unpack(text, endpoint)
        path = endpoint.sorts[cursor.sort_by_column]
        after = sort_key(endpoint, value, str(cursor.id_value), path)
    sort, order = _order(parameters, endpoint, cursor)
    low, high, matches = _conditions(parameters, endpoint, endpoint.sorts[sort])
    return Query(
        Selection(endpoint.sorts[sort], order == "desc", low, high, after, tuple(matches)),
        sort,
        order,
        _number(parameters, "limit", DEFAULT_LIMIT, least=1),
        _number(parameters, "skip", 0, least=0),
        _flag(parameters, "countOnly"),
        _flag(parameters, "skipCount"),
    )


def _last(parameters: Parameters, name: str) -> str | None:
    values = parameters.get(name)
    return values[-1] if values else None


def _refuse_unknown(parameters: Parameters, endpoint: Endpoint) -> None:
    known = {*_COMMON, *endpoint.lists, *endpoint.booleans, *endpoint.ignored}
    if endpoint is ACTIVITIES:
        known.add("includeHidden")
    for name in parameters:
        prefix, _, comparison = name.partition("__")
        is_range = prefix in endpoint.times and comparison in endpoint.comparisons
        if name not in known and not is_range:
            raise InvalidQueryError(f"Unknown field: {name}")


def _order(
    parameters: Parameters, endpoint: Endpoint, cursor: cursors.Cursor | None
) -> tuple[str, str]:
    sort, order = _last(parameters, "sortBy"), _last(parameters, "sortOrder")
    if sort is not None and sort not in endpoint.sorts:
        raise InvalidQueryError(f"sortBy: Not a valid choice: {sort}")
    if order not in {None, "asc", "desc"}:
        raise InvalidQueryError(f"sortOrder: Not a valid choice: {order}")
    if cursor is not None:
        if sort not in {None, cursor.sort_by_column} or order not in {None, cursor.sort_order}:
            raise cursors.InvalidCursorError
        return cursor.sort_by_column, cursor.sort_order
    return sort or "id", order or ("desc" if endpoint.newest_first else "asc")


def _conditions(
    parameters: Parameters, endpoint: Endpoint, sort_path: str
) -> tuple[int | None, int | None, list[Match]]:
    ranges: dict[str, tuple[int, int]] = {}
    for name in parameters:
        prefix, _, comparison = name.partition("__")
        if comparison:
            path = endpoint.times[prefix]
            low, high = _range(name, comparison, _last(parameters, name) or "")
            so_far = ranges.get(path, (0, _FOREVER))
            ranges[path] = max(low, so_far[0]), min(high, so_far[1])
    low_high = ranges.pop(sort_path, (None, None))
    matches = [_within(path, *bounds) for path, bounds in ranges.items()]
    return *low_high, [*matches, *_choices(parameters, endpoint), *_defaults(parameters, endpoint)]


def _range(name: str, comparison: str, text: str) -> tuple[int, int]:
    if comparison == "between":
        if not (bounds := _BETWEEN.fullmatch(text)):
            raise InvalidQueryError(f"{name}: Not a valid range of timestamps")
        return int(bounds[1]) * 1000, int(bounds[2]) * 1000
    try:
        at = micros(parse(text))
    except ValueError as error:
        raise InvalidQueryError(f"{name}: Not a valid datetime") from error
    bounds_of = {"gte": (at, _FOREVER), "gt": (at + 1, _FOREVER), "lte": (0, at), "lt": (0, at - 1)}
    return bounds_of[comparison]


def _within(path: str, low: int, high: int) -> Match:
    return lambda values: low <= values[path] <= high


def _choices(parameters: Parameters, endpoint: Endpoint) -> list[Match]:
    texts = [
        _among(path, _csv(parameters, n)) for n, path in endpoint.lists.items() if n in parameters
    ]
    return texts + [
        _among(path, _booleans(parameters, n))
        for n, path in endpoint.booleans.items()
        if n in parameters
    ]


def _defaults(parameters: Parameters, endpoint: Endpoint) -> list[Match]:
    """Rows that only those see who ask for them."""
    if endpoint is ACTIVITIES:
        if _flag(parameters, "includeHidden"):
            return []
        return [lambda values: values["activityType"] not in HIDDEN]
    absent = [n for n in ("isDecommissioned", "isUninstalled") if n in endpoint.booleans]
    return [_among(n, frozenset(("False",))) for n in absent if n not in parameters]


def _among(path: str, choices: frozenset[str]) -> Match:
    return lambda values: str(values[path]) in choices


def _csv(parameters: Parameters, name: str) -> frozenset[str]:
    return frozenset(part.strip() for text in parameters[name] for part in text.split(","))


def _booleans(parameters: Parameters, name: str) -> frozenset[str]:
    choices = frozenset(part.capitalize() for part in _csv(parameters, name))
    if not choices <= {"True", "False"}:
        raise InvalidQueryError(f"{name}: Not a valid boolean")
    return choices


def _flag(parameters: Parameters, name: str) -> bool:
    text = (_last(parameters, name) or "false").lower()
    if text not in {"true", "false"}:
        raise InvalidQueryError(f"{name}: Not a valid boolean")
    return text == "true"


def _number(parameters: Parameters, name: str, default: int, *, least: int) -> int:
    text: Any = _last(parameters, name)
    if text is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= MAX_LIMIT:
        raise InvalidQueryError(f"{name}: Must be between {least} and {MAX_LIMIT}")
    return int(text)
