"""Pages, cursors and orders."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote, unquote

import msgspec
import pytest

from sentinelone_source.demo.endpoints import ENDPOINTS
from sentinelone_source.demo.index import find
from sentinelone_source.demo.timestamps import micros, parse

ORDERS = [
    pytest.param(name, sort, order, id=f"{name}-{sort}-{order}")
    for name, endpoint in ENDPOINTS.items()
    for sort in endpoint.sorts
    for order in ("asc", "desc")
]
EVERY_AGENT = {"isDecommissioned": "True,False", "isUninstalled": "True,False"}


def sort_key(record: dict[str, Any], name: Any, path: str) -> tuple[Any, int]:
    """What a record is sorted by, worked out another way than the console does."""
    endpoint = ENDPOINTS[name]
    value, identifier = find(record, path), int(find(record, endpoint.id))
    if path == endpoint.id:
        return identifier, identifier
    if path in endpoint.time_paths:
        return (micros(parse(value)) if value else -1), identifier
    if path == "rank":
        return (-1 if value is None else value), identifier
    return value, identifier


@pytest.mark.parametrize(("name", "sort", "order"), ORDERS)
def test_every_order(crowd: Any, name: Any, sort: str, order: str) -> None:
    """A walk would lose, repeat or misplace rows in that order."""
    endpoint = ENDPOINTS[name]
    more = EVERY_AGENT if name == "agents" else {}
    walked = crowd.walk(endpoint.path, sortBy=sort, sortOrder=order, limit=1000, **more)
    keys = [sort_key(record, name, endpoint.sorts[sort]) for record in walked]
    assert len(walked) == 2500
    assert keys == sorted(set(keys), reverse=order == "desc")


def test_ties(world: Any, client: Any) -> None:
    """Rows of one instant would get lost between two pages."""
    for _ in range(25):
        world.new_activity()
    time = {"createdAt": "2026-03-14T11:00:00.000001Z"}
    for identifier in world.ids("activities"):
        world.replace("activities", {**world.get("activities", identifier), **time})
    pages = list(client.pages("activities", sortBy="createdAt", sortOrder="asc", limit=7))
    ids = [record["id"] for page in pages for record in page]
    assert [len(page) for page in pages] == [7, 7, 7, 4]
    assert ids == sorted(world.ids("activities"), key=int)


def test_default_limit_and_order(world: Any, client: Any) -> None:
    """A client that forgets limit and order would get away with it."""
    world.populate(activities=30, groups=30)
    newest_first = [record["id"] for record in client.page("activities")[0]]
    oldest_first = [record["id"] for record in client.page("groups")[0]]
    assert newest_first == sorted(world.ids("activities"), key=int, reverse=True)[:10]
    assert oldest_first == sorted(world.ids("groups"), key=int)[:10]


def test_rows_behind_and_ahead(world: Any, client: Any) -> None:
    """A walk would see a row that came in behind it, or miss one that came in ahead."""
    walk = {"sortBy": "createdAt", "sortOrder": "asc", "limit": 4}
    for minute in range(8):
        world.insert(
            "activities", {"id": f"{minute}1", "createdAt": f"2026-01-01T00:0{minute}:00Z"}
        )
    first, cursor = client.page("activities", **walk)
    world.insert("activities", {"id": "99", "createdAt": "2026-01-01T00:01:30Z"})
    world.insert("activities", {"id": "98", "createdAt": "2026-01-01T00:06:30.5Z"})
    world.delete("activities", first[-1]["id"])
    second, _ = client.page("activities", **walk, cursor=cursor)
    assert [record["id"] for record in second] == ["41", "51", "61", "98"]


@pytest.mark.parametrize(("extra", "sizes"), [(True, [5, 5, 0]), (False, [5, 5])])
def test_empty_last_page(world: Any, serve: Any, extra: bool, sizes: list[int]) -> None:
    """A client that trips over an empty page with no cursor would not be caught."""
    world.populate(groups=10)
    client = serve(empty_last_page=extra)
    assert [len(page) for page in client.pages("groups", limit=5)] == sizes


def test_short_pages(world: Any, serve: Any) -> None:
    """A client that takes a short page for the last one would not be caught."""
    world.populate(activities=100)
    client = serve(short_pages=True)
    pages = list(client.pages("activities", limit=10))
    assert {len(page) for page in pages[:-1]} == {6, 10}
    assert len({record["id"] for page in pages for record in page}) == 100


def test_skip(world: Any, client: Any) -> None:
    """`skip` would count from somewhere else."""
    world.populate(groups=20)
    everything = client.walk("groups")
    assert client.page("groups", skip=15)[0] == everything[15:]


@pytest.mark.parametrize(
    "parameters",
    [{"limit": "0"}, {"limit": "1001"}, {"limit": "ten"}, {"skip": "1001"}, {"skip": "-1"}],
)
def test_bounds(client: Any, parameters: dict[str, str]) -> None:
    """A client could ask for more than a real console gives."""
    answer = client.get("groups", **parameters)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == 4000010


def test_counts_are_not_exact(world: Any, client: Any) -> None:
    """A client that stops at totalItems would not be caught."""
    world.populate(activities=230, groups=20)
    assert client.get("activities", limit=1).json()["pagination"]["totalItems"] == 192
    assert client.get("groups", limit=1).json()["pagination"]["totalItems"] == 20


def test_count_only_and_skip_count(world: Any, client: Any) -> None:
    """Either switch would be ignored."""
    world.populate(groups=20)
    counted = client.get("groups", countOnly="true").json()
    assert counted == {"data": [], "pagination": {"nextCursor": None, "totalItems": 20}}
    uncounted = client.get("groups", skipCount="true").json()
    assert len(uncounted["data"]) == 10
    assert uncounted["pagination"]["totalItems"] == 0


def test_cursor_is_a_keyset(world: Any, client: Any) -> None:
    """Cursors would not look like the console's: base64 JSON, its padding percent-encoded."""
    world.populate(activities=12)
    body = client.get("activities", sortBy="createdAt", sortOrder="asc").json()
    cursor, last = body["pagination"]["nextCursor"], body["data"][-1]
    assert cursor.endswith("%3D")
    assert msgspec.json.decode(base64.b64decode(unquote(cursor))) == {
        "id_column": "ActivitiesView.id",
        "id_value": int(last["id"]),
        "sort_by_column": "createdAt",
        "sort_by_value": last["createdAt"],
        "sort_order": "asc",
    }


def test_cursor_alone_is_enough(world: Any, client: Any) -> None:
    """A cursor carries its order; the console would fall back to another one."""
    world.populate(activities=30)
    first, cursor = client.page("activities", sortBy="createdAt", sortOrder="asc", limit=20)
    second, _ = client.page("activities", cursor=cursor)
    assert [r["id"] for r in first + second] == sorted(world.ids("activities"), key=int)


@pytest.mark.parametrize(("strict", "status"), [(True, 400), (False, 200)])
def test_double_encoded_cursor(world: Any, serve: Any, strict: bool, status: int) -> None:
    """A client that does not unquote would not be caught."""
    world.populate(groups=20)
    client = serve(strict_cursors=strict)
    raw = client.get("groups").json()["pagination"]["nextCursor"]
    assert client.get("groups", cursor=raw).status_code == status


def packed(**fields: Any) -> str:
    return base64.b64encode(msgspec.json.encode(fields)).decode()


FIELDS = {
    "id_column": "GroupsView.id",
    "id_value": 5,
    "sort_by_column": "updatedAt",
    "sort_by_value": "2026-03-14T11:00:00Z",
    "sort_order": "asc",
}


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%%%",
        quote("ä"),
        packed(a=1),
        packed(**FIELDS | {"id_column": "ThreatsView.id"}),
        packed(**FIELDS | {"sort_by_column": "rankle"}),
        packed(**FIELDS | {"sort_by_value": "yesterday"}),
        packed(**FIELDS | {"sort_order": "up"}),
    ],
)
def test_foreign_cursors(client: Any, cursor: str) -> None:
    """A cursor that is none would start a walk somewhere."""
    answer = client.get("groups", cursor=cursor)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"] == "Invalid cursor value received"


@pytest.mark.parametrize("other", [{"sortBy": "name"}, {"sortOrder": "desc"}])
def test_cursor_of_another_order(client: Any, other: dict[str, str]) -> None:
    """A client that changes the order in the middle of a walk would not be caught."""
    same = {"sortBy": "updatedAt", "sortOrder": "asc"}
    assert client.get("groups", cursor=packed(**FIELDS), **same).status_code == 200
    assert client.get("groups", cursor=packed(**FIELDS), **same | other).status_code == 400
