"""Filters keep what they say, and unknown ones are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinelone_source.demo.endpoints import ENDPOINTS
from sentinelone_source.demo.index import find
from sentinelone_source.demo.timestamps import micros, text

INSTANT = datetime(2026, 3, 14, 11, 0, 0, 250_125, UTC)
MICROSECOND = timedelta(microseconds=1)
RANGES = [
    pytest.param(name, f"{prefix}__{comparison}", id=f"{name}-{prefix}-{comparison}")
    for name, endpoint in ENDPOINTS.items()
    for prefix in endpoint.times
    for comparison in endpoint.comparisons
]
KEPT = {
    "lt": ["1"],
    "lte": ["1", "2"],
    "gt": ["3"],
    "gte": ["2", "3"],
    "between": ["1", "2", "3"],
}
ABSENT = [
    ("activities", "updatedAt__gte"),
    ("agents", "updatedAt__eq"),
    ("alerts", "updatedAt__gte"),
    ("alerts", "reportedAt__between"),
    ("groups", "createdAt__gte"),
    ("groups", "updatedAt__between"),
    ("threats", "identifiedAt__gte"),
    ("threats", "updatedAt__between"),
]


def nested(path: str, value: object) -> dict[str, Any]:
    """A record with one value at a dotted path."""
    name, _, rest = path.partition(".")
    return {name: nested(rest, value) if rest else value}


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both records in one."""
    both = {k: merged(one[k], other[k]) for k in one.keys() & other.keys()}
    return {**one, **other, **both}


def ids(client: Any, name: Any, **parameters: str) -> list[str]:
    """The ids that a filter keeps, in order."""
    endpoint = ENDPOINTS[name]
    walked = client.walk(endpoint.path, sortOrder="asc", **parameters)
    return [find(record, endpoint.id) for record in walked]


@pytest.mark.parametrize(("name", "parameter"), RANGES)
def test_times(world: Any, client: Any, name: Any, parameter: str) -> None:
    """A boundary would be open where the console's is closed, or fractions be cut off."""
    endpoint = ENDPOINTS[name]
    prefix, _, comparison = parameter.partition("__")
    shown = {"isDecommissioned": False, "isUninstalled": False}
    for number, at in enumerate((INSTANT - MICROSECOND, INSTANT, INSTANT + MICROSECOND), 1):
        time = nested(endpoint.times[prefix], text(at))
        world.insert(name, {**merged(nested(endpoint.id, str(number)), time), **shown})
    world.insert(name, {**nested(endpoint.id, "4"), **shown})
    ms = micros(INSTANT) // 1000
    value = f"{ms}-{ms + 1}" if comparison == "between" else text(INSTANT)
    assert ids(client, name, **{parameter: value}) == KEPT[comparison]


def test_two_bounds_and_another_order(world: Any, client: Any) -> None:
    """A window would keep only one of its bounds, or only when it is sorted by."""
    for minute in range(6):
        times = {"createdAt": f"2026-03-14T11:0{minute}:00Z"}
        world.insert("threats", {"id": str(minute), "threatInfo": times})
    window = {
        "createdAt__gt": "2026-03-14T11:01:00Z",
        "createdAt__lte": "2026-03-14T12:04:00+01:00",
    }
    assert ids(client, "threats", **window) == ["2", "3", "4"]
    assert ids(client, "threats", **window, sortBy="createdAt", limit="2") == ["2", "3", "4"]


@pytest.mark.parametrize(("name", "parameter"), ABSENT)
def test_filters_that_do_not_exist(client: Any, name: Any, parameter: str) -> None:
    """A client that relies on a filter the console lacks would not be caught."""
    answer = client.get(ENDPOINTS[name].path, **{parameter: "2026-03-14T11:00:00Z"})
    assert answer.status_code == 400
    assert answer.json() == {
        "errors": [
            {
                "code": 4000010,
                "detail": f"Unknown field: {parameter}",
                "title": "Validation Error",
            }
        ]
    }


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize(
    "parameters",
    [{"nonsense": "1"}, {"sortBy": "nonsense"}, {"sortOrder": "up"}, {"countOnly": "maybe"}],
)
def test_nonsense(client: Any, name: Any, parameters: dict[str, str]) -> None:
    """A mistyped parameter would be ignored, as the console never does."""
    answer = client.get(ENDPOINTS[name].path, **parameters)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == 4000010


@pytest.mark.parametrize(
    ("name", "sort"), [("alerts", "alertInfoUpdatedAt"), ("activities", "updatedAt")]
)
def test_orders_that_do_not_exist(client: Any, name: Any, sort: str) -> None:
    """A client that sorts by what the console cannot would not be caught."""
    assert client.get(ENDPOINTS[name].path, sortBy=sort).status_code == 400


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01T00:00:00Z", "1700000000"])
def test_not_a_time(client: Any, value: str) -> None:
    """A wrongly written watermark would mean something else to the console."""
    assert client.get("threats", updatedAt__gte=value).status_code == 400
    assert client.get("agents", updatedAt__between=value).status_code == 400


@pytest.mark.parametrize("level", ["siteIds", "accountIds", "groupIds"])
@pytest.mark.parametrize("name", ENDPOINTS)
def test_scope(crowd: Any, name: Any, level: str) -> None:
    """A scope filter would let rows of other customers through."""
    endpoint, world = ENDPOINTS[name], crowd.console.world
    tenant = world.records.tenant
    site, other = tenant.sites[0], tenant.sites[3]
    path = endpoint.lists[level]
    more = {"isDecommissioned": "True,False", "isUninstalled": "True,False"}
    more = more if name == "agents" else {}
    scopes = {
        "siteIds": {site["id"]},
        "accountIds": {site["account_id"]},
        "groupIds": {group["group"]["id"] for group in tenant.groups[:200]},
    }[level]
    found = crowd.walk(endpoint.path, **{level: ",".join(scopes)}, limit=1000, **more)
    if (name, level) == ("groups", "accountIds"):
        sites = {s["id"] for s in tenant.sites if s["account_id"] == site["account_id"]}
        expected = [r for r in world.all(name) if r["siteId"] in sites]
    else:
        expected = [r for r in world.all(name) if find(r, path) in scopes]
    assert 0 < len(found) < 2500
    assert len(found) == len(expected)
    both = crowd.walk(endpoint.path, siteIds=f"{site['id']},{other['id']}", limit=1000, **more)
    assert len(both) > len(crowd.walk(endpoint.path, siteIds=site["id"], limit=1000, **more))


def test_agents_out_of_service(crowd: Any) -> None:
    """A client that does not ask for them would get away with it."""
    everything = crowd.console.world.all("agents")
    hidden = [a for a in everything if a["isDecommissioned"] or a["isUninstalled"]]
    assert len(crowd.walk("agents", limit=1000)) == 2500 - len(hidden) < 2500
    shown = crowd.walk("agents", limit=1000, isDecommissioned="true,false", isUninstalled="False")
    assert len(shown) == 2500 - sum(a["isUninstalled"] for a in everything)
    assert crowd.get("agents", isActive="perhaps").status_code == 400


def test_hidden_activities(world: Any, client: Any) -> None:
    """A client that leaves out internal activities unknowingly would not be caught."""
    shown, hidden = world.new_activity(27), world.new_activity(5009)
    assert client.walk("activities") == [shown]
    assert client.walk("activities", includeHidden="true", sortOrder="asc") == [shown, hidden]


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("activities", "activityTypes"),
        ("activities", "agentIds"),
        ("activities", "userIds"),
        ("agents", "osTypes"),
        ("alerts", "severity"),
        ("alerts", "ids"),
        ("groups", "types"),
        ("threats", "classifications"),
        ("threats", "mitigationStatuses"),
        ("threats", "contentHashes"),
    ],
)
def test_lists(crowd: Any, name: Any, parameter: str) -> None:
    """A list of values would keep others, or only the first."""
    endpoint, everything = ENDPOINTS[name], crowd.console.world.all(name)
    path = endpoint.lists[parameter]
    values = sorted({str(find(r, path)) for r in everything if find(r, path) is not None})[:2]
    kept = [r for r in everything if str(find(r, path)) in values]
    more = {"isDecommissioned": "True,False", "isUninstalled": "True,False"}
    more = more if name == "agents" else {}
    found = crowd.walk(endpoint.path, **{parameter: ",".join(values)}, limit=1000, **more)
    assert len(found) == len(kept) > 0


@pytest.mark.parametrize("parameter", ["tenant", "disablePagination"])
def test_parameters_without_effect(client: Any, parameter: str) -> None:
    """A parameter that the console knows would be refused."""
    assert client.get("cloud-detection/alerts", **{parameter: "true"}).status_code == 200
