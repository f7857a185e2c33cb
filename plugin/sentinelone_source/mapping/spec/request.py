"""`[request]`: which endpoint, how it is asked, and where its answer has what."""

from __future__ import annotations

import math
import re
from itertools import combinations
from typing import Any

import msgspec

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.paths import Path, read_path
from sentinelone_source.mapping.request import PLACES, places_of
from sentinelone_source.mapping.spec.model import RequestSpec
from sentinelone_source.toml import unknown

# What stands in a URL: a path below the API, names of query parameters, values of `sortBy`.
_URL_PATH = re.compile(r"/?[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?")
_QUERY_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class RequestTable(msgspec.Struct):
    """`[request]` as TOML gives it."""

    path: str
    records: str = "$.data"
    page_size: int = 1000
    params: dict[str, str | int | bool | list[str | int]] = {}
    body: dict[str, Any] | None = None
    passes: list[dict[str, str | int | bool | list[str | int]]] = []
    cursor: str = "$.pagination.nextCursor"
    more: str | None = None
    errors: str | None = None


def build_request(request: RequestTable, where: str) -> RequestSpec:
    """Check how an endpoint is asked, and build it.

    Raises:
        ConfigError: naming the key, and what would be right.
    """
    where = f"{where}: request"
    if not _URL_PATH.fullmatch(request.path):
        raise ConfigError(f"{where}.path: {request.path!r}: takes letters, digits, / - _ and .")
    if not 1 <= request.page_size <= 1000:
        raise ConfigError(f"{where}.page_size: {request.page_size} is not 1 to 1000")
    for name in request.params:
        check_query_name(name, f"{where}.params")
    _check_body(request, where)
    return RequestSpec(
        path=request.path.strip("/"),
        page_size=request.page_size,
        params={key: _query_value(value) for key, value in request.params.items()},
        body=request.body,
        passes=tuple(request.passes),
        **_answer_paths(request, where),
    )


def check_query_name(name: str, place: str) -> None:
    """Raise ConfigError for what has no place in a query."""
    if not _QUERY_NAME.fullmatch(name):
        raise ConfigError(f"{place}: {name!r}: takes letters, digits, _ . and -")


def _query_value(value: str | int | bool | list[str | int]) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _answer_paths(request: RequestTable, where: str) -> dict[str, Any]:
    """Where an answer has what; no two of these places lie within each other."""
    paths: dict[str, Path] = {}
    for key in ("records", "cursor", "more", "errors"):
        if (text := getattr(request, key)) is None:
            continue
        path = paths[key] = read_path(text, f"{where}.{key}")
        takes_items = key in ("records", "errors")
        if not path.members or path.rest or (path.each is not None and not takes_items):
            items = ", and `[*]` for the items of a list" if takes_items else ""
            raise ConfigError(f"{where}.{key}: takes a path of member names, as '$.data'{items}")
    for (key, path), (other, inside) in combinations(paths.items(), 2):
        shorter = min(len(path.members), len(inside.members))
        if path.members[:shorter] == inside.members[:shorter]:
            raise ConfigError(f"{where}.{other}: {inside.text} and {key}, {path.text}, overlap")
    return paths


def _check_body(request: RequestTable, where: str) -> None:
    names = {name for one in request.passes for name in one}
    if request.body is None:
        if names:
            raise ConfigError(f"{where}.passes: needs a body with placeholders for their values")
        return
    _check_json(request.body, f"{where}.body")
    places = places_of(request.body)
    for name in places - PLACES - names:
        raise ConfigError(f"{where}.body: {unknown('placeholder', name, PLACES | names)}")
    for name in sorted(names - places | names & PLACES):
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
    elif not isinstance(value, str | int | float) or not math.isfinite(
        0 if isinstance(value, str) else value
    ):
        raise ConfigError(f"{place}: takes text, numbers, booleans, lists and tables, not {value}")
