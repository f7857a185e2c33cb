"""Unified alerts: the GraphQL endpoint, with one alert for each threat and each alert of a rule."""

from __future__ import annotations

import base64
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec

from sentinelone_source.demo.endpoints import InvalidQuery, Name, find
from sentinelone_source.demo.http_server import Answer
from sentinelone_source.demo.records import Record
from sentinelone_source.demo.world import DemoWorld
from sentinelone_source.times import parse_moment

PATH: Final = "unifiedalerts/graphql"
_GOLDEN: Final[dict[str, Any]] = msgspec.json.decode(
    Path(__file__).with_name("golden").joinpath("unified_alerts.json").read_bytes()
)
"""Unified alerts of threats and of alerts, where `$.a.b` is a value of the record; all fields."""
_SOURCES: Final[tuple[Name, ...]] = ("threats", "alerts")
_LEVELS: Final = ("INFORMATIONAL", "MALICIOUS", "SUSPICIOUS", None)
_STATES: Final = {"unresolved": "NEW", "in_progress": "IN_PROGRESS", "resolved": "RESOLVED"}
_TIMES: Final = frozenset(("createdAt", "detectedAt", "updatedAt"))
_SCOPES: Final = {"ACCOUNT": "accountId", "SITE": "siteId", "GROUP": "groupId"}
_ARGUMENTS: Final = re.compile(r"\([^)]*\)")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")


def answer(world: DemoWorld, body: bytes) -> Answer:
    """What the endpoint says, an error as HTTP 200; variables are called as arguments are."""
    try:
        request = msgspec.json.decode(body, type=dict[str, Any])
        selected = _selected(str(request.get("query")))
        page = {"alerts": _page(world, request.get("variables") or {})}
        found: dict[str, Any] = {"data": _picked(page, selected)}
    except (InvalidQuery, msgspec.DecodeError) as error:
        found = {"data": None, "errors": [{"message": str(error)}]}
    return Answer(200, msgspec.json.encode(found))


def _selected(query: str) -> set[str]:
    """The names of the fields that a query selects, at whatever depth."""
    if query.count("{") != query.count("}"):
        raise InvalidQuery("Invalid syntax: the query breaks off")
    words = _WORD.findall(_ARGUMENTS.sub("", query.partition("{")[2]))
    for name in words:
        if name not in _GOLDEN["node"] + _GOLDEN["around"]:
            said = f"Field '{name}' in type 'Node' is undefined"
            raise InvalidQuery(f"Validation error (FieldUndefined@[{name}]) : {said}")
    return set(words)


def _picked(value: Any, selected: set[str]) -> Any:
    """The selected fields of a value."""
    if isinstance(value, list):
        return [_picked(item, selected) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _picked(child, selected) for name, child in value.items() if name in selected}


def nodes(world: DemoWorld) -> list[Record]:
    """All unified alerts, the informational ones too."""
    with world.lock:
        return [_node(name, world.get(name, one)) for name in _SOURCES for one in world.ids(name)]


def _node(endpoint: Name, record: Record) -> Record:
    """The unified alert of a record; its id is a UUIDv7 of the time it was made."""
    node: Record = dict.fromkeys(_GOLDEN["node"]) | _laid_out(_GOLDEN[endpoint], record)
    number, external = crc32(node["externalId"].encode()), int(node["externalId"])
    milliseconds = f"{parse_moment(node['createdAt']) // 1000:012x}"
    rest = f"{number:08x}{external & 0xFFFFFFFF:08x}"
    return node | {
        "id": f"{milliseconds[:8]}-{milliseconds[8:]}-7{rest[:3]}-a{rest[3:6]}-{rest[4:]}",
        "status": _STATES.get(node["status"].lower(), "NEW"),
        "severity": str(node["severity"]).upper(),
        "analystVerdict": node["analystVerdict"].upper(),
        "confidenceLevel": _LEVELS[number % len(_LEVELS)],
    }


def _laid_out(template: Any, record: Record) -> Any:
    if isinstance(template, dict):
        return {name: _laid_out(child, record) for name, child in template.items()}
    if isinstance(template, list):
        return [_laid_out(child, record) for child in template]
    is_path = isinstance(template, str) and template.startswith("$.")
    return find(record, template.removeprefix("$.")) if is_path else template


def _page(world: DemoWorld, asked: dict[str, Any]) -> dict[str, Any]:
    sort, after = asked.get("sort") or {}, asked.get("after")
    by, descending = sort.get("by", "id"), sort.get("order") == "DESC"
    filters = list(_filters(asked))
    found = [
        ((str(node.get(by)) if by not in _TIMES else parse_moment(node[by]), node["id"]), node)
        for node in nodes(world)
        if all(_value(node, field) in wanted for field, wanted in filters)
    ]
    found.sort(key=lambda pair: pair[0], reverse=descending)
    rest = found if after is None else _behind(found, after, descending=descending)
    page = rest[: int(asked.get("first") or 10)]
    edges = [{"cursor": _cursor(place), "node": node} for place, node in page]
    info = {
        "hasNextPage": len(page) < len(rest),
        "hasPreviousPage": len(rest) < len(found),
        "endCursor": edges[-1]["cursor"] if edges else None,
    }
    return {"edges": edges, "pageInfo": info}


def _value(node: Record, field: str) -> Any:
    return parse_moment(node[field]) if field in _TIMES else node[field]


def _cursor(place: tuple[Any, str]) -> str:
    return base64.b64encode(msgspec.json.encode(place)).decode()


def _behind(found: list[Any], after: str, *, descending: bool) -> list[Any]:
    """What comes after an alert, also when that has moved since, or is gone."""
    try:
        place = tuple(msgspec.json.decode(base64.b64decode(after, validate=True)))
        return [pair for pair in found if (pair[0] < place if descending else pair[0] > place)]
    except (ValueError, TypeError):
        raise InvalidQuery("Invalid cursor value received") from None


def _filters(asked: dict[str, Any]) -> Iterator[tuple[str, Container[Any]]]:
    """Fields and what is wanted of them; without a filter for confidence, nothing informational."""
    filters: list[dict[str, Any]] = asked.get("filters") or []
    if all(one["fieldId"] != "confidenceLevel" for one in filters):
        yield "confidenceLevel", set(_LEVELS) - {"INFORMATIONAL"}
    for one in filters:
        yield one["fieldId"], _wanted(one)
    scope = asked.get("scope") or {}
    if name := _SCOPES.get(scope.get("scopeType", "")):
        yield name, scope["scopeIds"]


def _wanted(one: dict[str, Any]) -> Container[Any]:
    field, span = one["fieldId"], one.get("dateTimeRange")
    if span is not None and field in _TIMES:
        start, end = (span.get(name) for name in ("start", "end"))
        low = -1 if start is None else start * 1000 + (not span.get("startInclusive"))
        return range(low, 1 << 62 if end is None else end * 1000)
    equal, among = one.get("stringEqual"), one.get("stringIn")
    if field not in _GOLDEN["node"] or not (equal or among):
        raise InvalidQuery(f"Validation error : invalid filter of field '{field}'")
    values: list[Any] = [equal["value"]] if equal else (among or {})["values"]
    return values
