"""Unified alerts: the GraphQL endpoint, with one alert for each threat and each alert of a rule."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import msgspec

from sentinelone_source.demo.graphql import InvalidQuery, check, picked, selected
from sentinelone_source.demo.transport import Answer
from sentinelone_source.times import parse_moment

if TYPE_CHECKING:
    from sentinelone_source.demo.records import Record
    from sentinelone_source.demo.world import World

PATH: Final = "unifiedalerts/graphql"
_LEVELS: Final = ("INFORMATIONAL", "MALICIOUS", "SUSPICIOUS", None)
_STATES: Final = {"unresolved": "NEW", "in_progress": "IN_PROGRESS", "resolved": "RESOLVED"}
_TIMES: Final = frozenset(("createdAt", "detectedAt", "updatedAt"))
_SCOPES: Final = {"ACCOUNT": "accountId", "SITE": "siteId", "GROUP": "groupId"}
_TEXTS: Final = (
    "id name description detectedAt createdAt updatedAt firstSeenAt lastSeenAt status severity "
    "analystVerdict externalId storylineId attackSurfaces confidenceLevel classification "
    "dataSources noteExists result ticketId"
)
_NODE: Final[dict[str, Any]] = {
    **dict.fromkeys(_TEXTS.split()),
    "detectionSource": dict.fromkeys(("product", "vendor")),
    "assignee": dict.fromkeys(("fullName", "email")),
    "assets": dict.fromkeys(("id", "name", "agentUuid", "osType", "osVersion")),
}
_PAGE: Final = dict.fromkeys(("hasNextPage", "hasPreviousPage", "startCursor", "endCursor"))
_SCHEMA: Final = {"alerts": {"edges": {"cursor": None, "node": _NODE}, "pageInfo": _PAGE}}


def answer(world: World, body: bytes) -> Answer:
    """What the endpoint says; an error is HTTP 200, too."""
    try:
        request = msgspec.json.decode(body, type=dict[str, Any])
        fields, arguments = selected(str(request.get("query")))
        variables = request.get("variables") or {}
        asked = {name: variables.get(variable) for name, variable in arguments.items()}
        check(fields, _SCHEMA)
        found: dict[str, Any] = {"data": picked({"alerts": _page(world, asked)}, fields)}
    except (InvalidQuery, msgspec.DecodeError) as error:
        found = {"data": None, "errors": [{"message": str(error)}]}
    return Answer(200, msgspec.json.encode(found))


def nodes(world: World) -> list[Record]:
    """All unified alerts, the informational ones too."""
    with world.lock:
        threats = [_of_threat(world.get("threats", one)) for one in world.ids("threats")]
        return threats + [_of_alert(world.get("alerts", one)) for one in world.ids("alerts")]


def _page(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    sort, after = asked.get("sort") or {}, asked.get("after")
    by, descending = sort.get("by", "id"), sort.get("order") == "DESC"
    wanted = list(_filters(asked))
    found = [
        ((str(node.get(by)) if by not in _TIMES else parse_moment(node[by]), node["id"]), node)
        for node in nodes(world)
        if all(test(node) for test in wanted)
    ]
    found.sort(key=lambda pair: pair[0], reverse=descending)
    start = 0
    if after is not None:
        places = [_cursor(place) for place, _ in found]
        start = places.index(after) + 1 if after in places else _behind(found, after)
    page = found[start : start + int(asked.get("first") or 10)]
    last = _cursor(page[-1][0]) if page else None
    more = start + len(page) < len(found)
    info = {"hasNextPage": more, "hasPreviousPage": start > 0, "endCursor": last}
    edges = [{"cursor": _cursor(place), "node": node} for place, node in page]
    return {"edges": edges, "pageInfo": info}


def _cursor(place: tuple[Any, str]) -> str:
    return base64.b64encode(msgspec.json.encode(place)).decode()


def _behind(found: list[Any], after: str) -> int:
    """Where to go on after an alert that has moved since, or is gone."""
    try:
        place = tuple(msgspec.json.decode(base64.b64decode(after, validate=True)))
        return sum(1 for one, _ in found if one <= place)
    except (ValueError, TypeError):
        raise InvalidQuery("Invalid cursor value received") from None


def _filters(asked: dict[str, Any]) -> Iterator[Callable[[Record], bool]]:
    """All that a query filters by; without a filter for confidence, nothing informational."""
    filters: list[dict[str, Any]] = asked.get("filters") or []
    if all(one["fieldId"] != "confidenceLevel" for one in filters):
        yield lambda node: node["confidenceLevel"] != "INFORMATIONAL"
    for one in filters:
        yield _filter(one)
    if scope := asked.get("scope"):
        name = _SCOPES.get(scope["scopeType"])
        yield lambda node: name is None or node[name] in scope["scopeIds"]


def _filter(one: dict[str, Any]) -> Callable[[Record], bool]:
    field, span = one["fieldId"], one.get("dateTimeRange")
    if span is not None and field in _TIMES:
        start, end = (span.get(name) for name in ("start", "end"))
        low = -1 if start is None else start * 1000 + (not span.get("startInclusive"))
        high = (1 << 62) if end is None else end * 1000
        return lambda node: low <= parse_moment(node[field]) < high
    equal, among = one.get("stringEqual"), one.get("stringIn")
    if field not in _NODE or not (equal or among):
        raise InvalidQuery(f"Validation error : invalid filter of field '{field}'")
    values = [equal["value"]] if equal else (among or {})["values"]
    return lambda node: node[field] in values


def _of_threat(record: Record) -> Record:
    info, agent, where = (
        record[name] for name in ("threatInfo", "agentRealtimeInfo", "agentDetectionInfo")
    )
    return {
        **_common(info["threatId"], info["createdAt"], info["incidentStatus"], where),
        "name": info["threatName"],
        "description": info["classification"],
        "detectedAt": info["identifiedAt"],
        "updatedAt": info["updatedAt"],
        "severity": "HIGH",
        "analystVerdict": info["analystVerdict"].upper(),
        "storylineId": info["storyline"],
        "classification": info["classification"],
        "detectionSource": {"product": "EDR", "vendor": "SentinelOne"},
        "assets": [_asset(agent["agentId"], agent["agentComputerName"], where["agentUuid"], agent)],
    }


def _of_alert(record: Record) -> Record:
    info, agent = record["alertInfo"], record["agentDetectionInfo"]
    host = record["agentRealtimeInfo"]
    return {
        **_common(info["alertId"], info["reportedAt"], info["incidentStatus"], agent),
        "name": record["ruleInfo"]["name"],
        "description": record["ruleInfo"]["description"],
        "detectedAt": info["createdAt"],
        "updatedAt": info["updatedAt"],
        "severity": str(record["ruleInfo"]["severity"]).upper(),
        "analystVerdict": info["analystVerdict"].upper(),
        "detectionSource": {"product": "STAR", "vendor": "SentinelOne"},
        "assets": [_asset(host["id"], host["name"], host["uuid"], host)],
    }


def _common(external: str, made: str, status: str, where: Record) -> Record:
    """What threats and alerts have alike; the id is a UUIDv7 of the time it was made."""
    number = crc32(external.encode())
    milliseconds = f"{parse_moment(made) // 1000:012x}"
    rest = f"{number:08x}{int(external) & 0xFFFFFFFF:08x}"
    return {
        **dict.fromkeys(_NODE),
        **{name: where.get(name) for name in _SCOPES.values()},
        "id": f"{milliseconds[:8]}-{milliseconds[8:]}-7{rest[:3]}-a{rest[3:6]}-{rest[4:]}",
        "externalId": external,
        "createdAt": made,
        "status": _STATES.get(status.lower(), "NEW"),
        "attackSurfaces": ["ENDPOINT"],
        "confidenceLevel": _LEVELS[number % len(_LEVELS)],
        "dataSources": ["SentinelOne"],
    }


def _asset(identifier: str, name: str, uuid: str, agent: Record) -> Record:
    system = agent.get("agentOsType") or agent.get("os")
    version = agent.get("agentOsRevision")
    return {
        "id": identifier,
        "name": name,
        "agentUuid": uuid,
        "osType": system,
        "osVersion": version,
    }
