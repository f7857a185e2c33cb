"""The console as its clients see it: who may ask, which records, in which order, page by page."""

from __future__ import annotations

import base64
import gzip
import json
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import requests

from doubles.console import Rate
from doubles.world import World
from sentinelone_source.demo.endpoints import ENDPOINTS, find
from sentinelone_source.demo.golden import text
from support.certificates import Authority

INSTANT = datetime(2026, 3, 14, 11, 0, 0, 250_125, UTC)
MICROSECOND = timedelta(microseconds=1)
EVERY_AGENT = {"isDecommissioned": "True,False", "isUninstalled": "True,False"}


@pytest.mark.parametrize("authorization", ["", "ApiToken wrong", "Bearer demo-token", "demo-token"])
@pytest.mark.parametrize("path", ["threats", "groups"])
def test_wrong_token(client: Any, path: str, authorization: str) -> None:
    """A request without the right token gets 401, on every path."""
    client.session.headers["Authorization"] = authorization
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.json()["errors"][0] == {
        "code": 4010010,
        "detail": None,
        "title": "Authentication Failed",
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/web/api/v2.1/threats", 200),
        ("//web/api/v2.1/threats", 404),
        ("/web/api/v2.0/threats", 404),
        ("/web/api/v2.1/threats/", 404),
        ("/", 404),
    ],
)
def test_paths(client: Any, path: str, status: int) -> None:
    """Only the API's own paths are known, to the letter."""
    url = client.console.url
    request = requests.Request("GET", url, headers=client.session.headers).prepare()
    request.url = url + path
    assert client.session.send(request, timeout=60).status_code == status


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"data":{"apiToken":"other"}}', '{"data":7}'])
def test_token_details(client: Any, body: str) -> None:
    """The expiry of a token is told to requests that name a known token, and to no other."""
    url = f"{client.base}users/api-token-details"
    assert client.session.post(url, data=body, timeout=60).status_code == 400
    body = '{"data":{"apiToken":"demo-token"}}'
    told = client.session.post(url, data=body, timeout=60).json()["data"]
    assert told["createdAt"] < "2026-03-14" < told["expiresAt"]
    client.console.behaviour.token_expires = datetime(2026, 4, 1, tzinfo=UTC)
    told = client.session.post(url, data=body, timeout=60).json()["data"]
    assert told["expiresAt"] == "2026-04-01T00:00:00Z"


def test_bodies(world: World, client: Any) -> None:
    """Bodies are compact UTF-8 with the cursor last, gzipped for those who accept it."""
    world.insert("groups", {"id": "1", "name": "Zürich 納品 🦆", "siteId": None})
    body = '{"data":[{"id":"1","name":"Zürich 納品 🦆","siteId":null}],'
    body += '"pagination":{"nextCursor":null,"totalItems":1}}'
    with client.session.get(f"{client.base}groups", stream=True, timeout=60) as answer:
        port = answer.raw.connection.sock.getsockname()[1]
        assert gzip.decompress(answer.raw.read(decode_content=False)) == body.encode()
    client.session.headers["Accept-Encoding"] = "identity"
    with client.session.get(f"{client.base}groups", stream=True, timeout=60) as answer:
        assert "Content-Encoding" not in answer.headers
        assert answer.raw.connection.sock.getsockname()[1] == port
        assert answer.content == body.encode()
    world.jump(timedelta(hours=-3))
    date = parsedate_to_datetime(client.get("groups").headers["Date"])
    assert date == world.now().replace(microsecond=0)


def test_ties(world: World, client: Any) -> None:
    """Records of one instant are neither lost nor repeated between pages."""
    for _ in range(25):
        world.new_activity()
    time = {"createdAt": "2026-03-14T11:00:00.000001Z"}
    for identifier in world.ids("activities"):
        world.replace("activities", {**world.get("activities", identifier), **time})
    pages = list(client.pages("activities", sortBy="createdAt", sortOrder="asc", limit=7))
    assert [len(page) for page in pages] == [7, 7, 7, 4]
    ids = [record["id"] for page in pages for record in page]
    assert ids == sorted(world.ids("activities"), key=int)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_order(world: World, client: Any, name: Any) -> None:
    """A walk in any order, up or down, has every record once."""
    world.populate(over=timedelta(days=3), **{name: 40})
    endpoint = ENDPOINTS[name]
    more = EVERY_AGENT if name == "agents" else {}
    for sort, path in endpoint.sorts.items():
        up, down = (
            client.walk(endpoint.path, sortBy=sort, sortOrder=order, limit=15, **more)
            for order in ("asc", "desc")
        )
        assert [find(r, endpoint.id) for r in up] == [find(r, endpoint.id) for r in down[::-1]]
        assert len({find(record, endpoint.id) for record in up}) == len(up) == 40
        values = [find(record, path) for record in up]
        known = [value for value in values if value is not None]
        if path in endpoint.time_paths:
            known = [datetime.fromisoformat(value) for value in known]
        elif path == endpoint.id:
            known = [int(value) for value in known]
        assert known == sorted(known)


def test_records_behind_and_ahead(world: World, client: Any) -> None:
    """A walk goes on after its last record: what came in behind it stays unseen."""
    walk = {"sortBy": "createdAt", "sortOrder": "asc", "limit": 4}
    for minute in range(8):
        at = {"createdAt": f"2026-01-01T00:0{minute}:00Z"}
        world.insert("activities", {"id": f"{minute}1", **at})
    first, cursor = client.page("activities", **walk)
    world.insert("activities", {"id": "99", "createdAt": "2026-01-01T00:01:30Z"})
    world.insert("activities", {"id": "98", "createdAt": "2026-01-01T00:06:30.5Z"})
    world.delete("activities", first[-1]["id"])
    second, _ = client.page("activities", **walk, cursor=cursor)
    assert [record["id"] for record in second] == ["41", "51", "61", "98"]


def test_pages(world: World, client: Any) -> None:
    """Page order, page size and counts have the console's defaults."""
    world.populate(activities=230, groups=20)
    groups = sorted(world.ids("groups"), key=int)
    assert [record["id"] for record in client.page("groups")[0]] == groups[:10]
    assert [record["id"] for record in client.page("groups", skip=15)[0]] == groups[15:]
    newest = sorted(world.ids("activities"), key=int, reverse=True)
    assert [record["id"] for record in client.page("activities")[0]] == newest[:10]
    assert [len(page) for page in client.pages("groups", limit=10)] == [10, 10, 0]
    total = client.get("activities", limit=1).json()["pagination"]["totalItems"]
    assert total == 230
    counted = client.get("groups", countOnly="true").json()
    assert counted == {"data": [], "pagination": {"nextCursor": None, "totalItems": 20}}
    assert client.get("groups", skipCount="true").json()["pagination"]["totalItems"] == 0


def test_cursor(world: World, client: Any) -> None:
    """A cursor is base64 of JSON, percent-encoded, and carries its order."""
    world.populate(activities=30)
    body = client.get("activities", sortBy="createdAt", sortOrder="asc", limit=20).json()
    raw, last = body["pagination"]["nextCursor"], body["data"][-1]
    assert raw.endswith("%3D")
    assert json.loads(base64.b64decode(unquote(raw))) == {
        "id_column": "ActivitiesView.id",
        "id_value": int(last["id"]),
        "sort_by_column": "createdAt",
        "sort_by_value": last["createdAt"],
        "sort_order": "asc",
    }
    second, _ = client.page("activities", cursor=unquote(raw))
    assert len({r["id"] for r in [*body["data"], *second]}) == 30
    assert client.get("activities", cursor=raw).status_code == 400
    assert client.get("activities", cursor=unquote(raw), sortOrder="desc").status_code == 400


FIELDS = {
    "id_column": "GroupsView.id",
    "id_value": 5,
    "sort_by_column": "updatedAt",
    "sort_by_value": "2026-03-14T11:00:00Z",
    "sort_order": "asc",
}
FOREIGN = [
    {"a": 1},
    FIELDS | {"id_column": "ThreatsView.id"},
    FIELDS | {"sort_by_column": "rankle"},
    FIELDS | {"sort_by_value": "yesterday"},
    FIELDS | {"sort_order": "up"},
]


@pytest.mark.parametrize(
    "cursor",
    ["x", "%%%", quote("ä"), *(base64.b64encode(json.dumps(f).encode()) for f in FOREIGN)],
)
def test_foreign_cursors(client: Any, cursor: str) -> None:
    """A cursor that the endpoint did not give is refused."""
    answer = client.get("groups", cursor=cursor)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"] == "Invalid cursor value received"


def nested(path: str, value: object, record: dict[str, Any]) -> dict[str, Any]:
    """The record with one value at a dotted path."""
    name, _, rest = path.partition(".")
    inner = nested(rest, value, record.get(name, {})) if rest else value
    return {**record, name: inner}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_times(world: World, client: Any, name: Any) -> None:
    """Bounds are open or closed as they are called, to the microsecond."""
    endpoint = ENDPOINTS[name]
    kept = {"lt": "1", "lte": "12", "gt": "3", "gte": "23"}
    for prefix, path in endpoint.times.items():
        for number, at in enumerate((INSTANT - MICROSECOND, INSTANT, INSTANT + MICROSECOND), 1):
            shown = dict.fromkeys(endpoint.hidden, False)
            record = nested(endpoint.id, str(number), nested(path, text(at), shown))
            world.insert(name, record)
        for comparison, numbers in kept.items():
            asked = {f"{prefix}__{comparison}": text(INSTANT), "sortOrder": "asc"}
            found = client.walk(endpoint.path, **asked)
            assert [find(r, endpoint.id) for r in found] == list(numbers), comparison


@pytest.mark.parametrize(
    ("path", "parameter", "value"),
    [
        ("activities", "updatedAt__gte", "2026-03-14T11:00:00Z"),
        ("cloud-detection/alerts", "updatedAt__gte", "2026-03-14T11:00:00Z"),
        ("cloud-detection/alerts", "sortBy", "alertInfoUpdatedAt"),
        ("activities", "sortBy", "updatedAt"),
        ("threats", "updatedAt__between", "1-2"),
        ("threats", "updatedAt__gte", "yesterday"),
        ("agents", "updatedAt__between", "yesterday"),
        ("groups", "limit", "0"),
        ("groups", "limit", "1001"),
        ("groups", "skip", "-1"),
        ("groups", "sortOrder", "up"),
        ("groups", "countOnly", "maybe"),
        ("groups", "nonsense", "1"),
    ],
)
def test_refused_parameters(client: Any, path: str, parameter: str, value: str) -> None:
    """What the console does not know is refused, not ignored."""
    answer = client.get(path, **{parameter: value})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == 4000010
    assert client.get("cloud-detection/alerts", disablePagination="true").status_code == 200


def test_lists(world: World, client: Any) -> None:
    """A list of values keeps those, a scope those of its members, and nothing else."""
    world.populate(groups=12, agents=40, threats=40, alerts=10, activities=40)
    for name, endpoint in ENDPOINTS.items():
        more = EVERY_AGENT if name == "agents" else {}
        records = world.all(name)
        for parameter, path in endpoint.lists.items():
            values = sorted({str(v) for r in records if (v := find(r, path)) is not None})[:2]
            kept = [r for r in records if str(find(r, path)) in values]
            asked = {**more, parameter: ",".join(values), "limit": 1000}
            found = client.walk(endpoint.path, **asked)
            if values:
                assert len(found) == len(kept) > 0, parameter
    accounts = {s["id"]: s["account_id"] for s in world.records.tenant.sites}
    account = next(iter(accounts.values()))
    wanted = [r for r in world.all("groups") if accounts[r["siteId"]] == account]
    assert len(client.walk("groups", accountIds=account)) == len(wanted) > 0


def test_hidden(world: World, client: Any) -> None:
    """Agents out of service are shown to those who ask for them."""
    world.populate(agents=60)
    out = [a for a in world.all("agents") if a["isDecommissioned"] or a["isUninstalled"]]
    assert len(client.walk("agents", limit=1000)) == 60 - len(out) < 60
    assert len(client.walk("agents", limit=1000, **EVERY_AGENT)) == 60


def test_switches(world: World, client: Any) -> None:
    """An endpoint can be forbidden or slowed down, pages can be short, text escaped."""
    world.populate(activities=100)
    behaviour = client.console.behaviour
    behaviour.forbidden.add("alerts")
    refused = client.get("cloud-detection/alerts").json()["errors"][0]
    assert refused["code"] == 4030010
    assert "Custom Alerts.view" in refused["detail"]
    behaviour.rates["agents"] = Rate(0.001, 2)
    assert [client.get("agents").status_code for _ in range(3)] == [200, 200, 429]
    behaviour.short_pages = behaviour.ascii_json = True
    behaviour.empty_last_page = False
    pages = list(client.pages("activities", limit=10))
    assert {len(page) for page in pages[:-1]} == {6, 10}
    assert len({record["id"] for page in pages for record in page}) == 100
    assert client.get("activities", limit=100).content.isascii()


def test_stop_and_start(client: Any) -> None:
    """A stopped console answers no request, and starts again at the same address."""
    client.get("groups")
    client.console.stop()
    with pytest.raises(requests.ConnectionError):
        client.get("groups")
    client.console.stop()
    client.console.start()
    assert client.get("groups").status_code == 200


def test_what_is_remembered(client: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Requests are recorded without the token, and nothing is printed."""
    client.get("cloud-detection/alerts", limit=5, siteIds="1,2")
    client.get("system/info")
    client.get("groups", limit=0)
    asked = client.console.requests
    assert [one.endpoint for one in asked] == ["alerts", "system/info", "groups"]
    assert [one.status for one in asked] == [200, 404, 400]
    assert asked[0].query == {"limit": ["5"], "siteIds": ["1,2"]}
    assert "demo-token" not in repr(asked)
    assert capfd.readouterr() == ("", "")


def test_tls(serve: Any, tmp_path: Path) -> None:
    """A console over TLS is trusted by those who trust its authority."""
    authority = Authority(tmp_path, "authority")
    client = serve(tls=authority.server("127.0.0.1"))
    assert client.console.url.startswith("https://")
    with pytest.raises(requests.exceptions.SSLError):
        client.get("groups")
    url = f"{client.base}groups"
    assert client.session.get(url, verify=str(authority.file), timeout=60).status_code == 200
    assert ssl.create_default_context(cafile=authority.file).get_ca_certs()
