"""The console as an HTTP server."""

from __future__ import annotations

import gzip
import http.client
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from doubles.console import Console, Rate
from doubles.world import World
from sentinelone_source.demo.endpoints import ENDPOINTS

TOKEN = "demo-token"


@pytest.mark.parametrize("authorization", ["", "ApiToken wrong", "Bearer demo-token", "demo-token"])
@pytest.mark.parametrize("path", ["threats", "system/info", "users/viewer-auth-check"])
def test_wrong_token(client: Any, path: str, authorization: str) -> None:
    """A client without the right token would be let in."""
    client.session.headers["Authorization"] = authorization
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.json() == {
        "errors": [{"code": 4010010, "detail": None, "title": "Authentication Failed"}]
    }


def test_revoked_token(client: Any) -> None:
    """A token could not expire in the middle of a test."""
    assert client.get("groups").status_code == 200
    client.console.tokens.clear()
    assert client.get("groups").status_code == 401
    client.console.tokens.add(TOKEN)
    assert client.get("groups").status_code == 200


def test_forbidden(client: Any) -> None:
    """One endpoint could not be refused beside the others."""
    client.console.behaviour.forbidden.add("alerts")
    refused = client.get("cloud-detection/alerts")
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["code"] == 4030010
    assert "Custom Alerts.view" in refused.json()["errors"][0]["detail"]
    assert client.get("threats").status_code == 200


def test_rate_limit(serve: Any) -> None:
    """A client that asks too fast would not be caught."""
    client = serve(rates={"agents": Rate(0.5, 2)})
    answers = [client.get("agents") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 2
    assert client.get("threats").status_code == 200


def test_rate_limit_refills(serve: Any) -> None:
    """A client that slows down would never be let in again."""
    client = serve(rates={"agents": Rate(2)})
    assert [client.get("agents").status_code for _ in range(2)] == [200, 429]
    time.sleep(0.6)
    assert client.get("agents").status_code == 200


def test_latency(serve: Any) -> None:
    """A distant console could not be played."""
    client = serve(latency=0.2)
    started = time.monotonic()
    client.get("groups")
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(
    "target",
    [
        "//web/api/v2.1/threats",
        "/web/api/v2.1/threat",
        "/web/api/v2.0/threats",
        "/web/api/v2.1/threats/",
        "/",
    ],
)
def test_other_paths(client: Any, target: str) -> None:
    """A URL put together wrongly would work here and nowhere else."""
    connection = http.client.HTTPConnection(urlsplit(client.console.url).netloc, timeout=5)
    connection.request("GET", target, headers={"Authorization": f"ApiToken {TOKEN}"})
    answer = connection.getresponse()
    assert answer.status == 404
    assert json.loads(answer.read())["errors"][0]["code"] == 4040010
    connection.close()


def test_checks(client: Any) -> None:
    """Connection tests would have nothing to ask."""
    assert client.get("system/info").json()["data"]["version"]
    assert client.get("users/viewer-auth-check").json()["data"] == {"success": True}
    del client.session.headers["Authorization"]
    assert client.get("system/status").json() == {"data": {"health": "ok"}}


def details(client: Any, body: str) -> requests.Response:
    """Asks when a token expires."""
    url = f"{client.console.url}/web/api/v2.1/users/api-token-details"
    answer: requests.Response = client.session.post(url, data=body, timeout=5)
    return answer


def test_token_details(serve: Any) -> None:
    """The warning before a token expires could not be tested."""
    client = serve(token_expires=datetime(2026, 4, 1, tzinfo=UTC))
    told = details(client, '{"data":{"apiToken":"demo-token"}}').json()["data"]
    assert told["expiresAt"] == "2026-04-01T00:00:00Z"
    assert told["createdAt"] < told["expiresAt"]
    client.console.behaviour.token_expires = None
    told = details(client, '{"data":{"apiToken":"demo-token"}}').json()["data"]
    assert told["createdAt"] < "2026-03-14" < told["expiresAt"]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"data":{"apiToken":"other"}}', '{"data":7}'])
def test_token_details_of_nothing(client: Any, body: str) -> None:
    """Nonsense would be answered, or end the connection."""
    assert details(client, body).status_code == 400


def test_gzip(world: Any, client: Any) -> None:
    """Compressed and plain answers would differ, or come unasked."""
    world.populate(threats=5)
    packed = client.session.get(
        f"{client.console.url}/web/api/v2.1/threats", stream=True, timeout=5
    )
    assert packed.headers["Content-Encoding"] == "gzip"
    wire = packed.raw.read(decode_content=False)
    client.session.headers["Accept-Encoding"] = "identity"
    plain = client.get("threats")
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(wire) == plain.content
    assert len(wire) < len(plain.content) / 2


def test_compact_and_raw(world: Any, client: Any) -> None:
    """Bodies would not look like the console's: compact, UTF-8, cursor last."""
    world.insert("groups", {"id": "1", "name": "Zürich 納品 🦆", "siteId": None})
    answer = client.get("groups", siteIds="None")
    body = '{"data":[{"id":"1","name":"Zürich 納品 🦆","siteId":null}],'
    tail = '"pagination":{"nextCursor":null,"totalItems":1}}'
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.content == (body + tail).encode()


def test_ascii(world: Any, serve: Any) -> None:
    """Nobody would test a client against escaped text."""
    world.insert("groups", {"id": "1", "name": "Zürich 🦆"})
    answer = serve(ascii_json=True).get("groups")
    assert b'"Z\\u00fcrich \\ud83e\\udd86"' in answer.content
    assert answer.json()["data"][0]["name"] == "Zürich 🦆"


def test_date_is_the_tenants(world: Any, client: Any) -> None:
    """A client could not be tested against a console whose clock differs."""
    world.jump(timedelta(hours=-3))
    date = parsedate_to_datetime(client.get("system/status").headers["Date"])
    assert date == world.now().replace(microsecond=0)


def test_requests_are_remembered(client: Any) -> None:
    """Tests could not see what a client asked."""
    client.get("cloud-detection/alerts", limit=5, siteIds="1,2")
    client.get("system/info")
    client.get("groups", limit=0)
    requests_ = client.console.requests
    assert [(r.endpoint, r.status) for r in requests_] == [
        ("alerts", 200),
        ("system/info", 200),
        ("groups", 400),
    ]
    assert requests_[0].query == {"limit": ["5"], "siteIds": ["1,2"]}
    assert requests_[0].time <= requests_[1].time <= time.monotonic()


def test_token_stays_secret(client: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """A token would end up in a log."""
    client.get("threats")
    client.get("nowhere")
    client.session.post(client.console.url, timeout=5)
    assert TOKEN not in repr(client.console.requests)
    assert capfd.readouterr() == ("", "")


def test_connections_are_kept(world: Any, client: Any) -> None:
    """A benchmark would measure handshakes, and a proxy's behaviour would be missed."""
    world.populate(groups=30)
    with client.session.get(
        f"{client.console.url}/web/api/v2.1/groups", stream=True, timeout=5
    ) as one:
        port = one.raw.connection.sock.getsockname()[1]
        one.content  # noqa: B018 - read to the end, so that the connection is free again
    with client.session.get(f"{client.console.url}/login", stream=True, timeout=5) as other:
        assert other.raw.connection.sock.getsockname()[1] == port


def test_stop_ends_connections(client: Any) -> None:
    """A console that is down would go on answering over a kept-alive connection."""
    client.get("groups")
    client.console.stop()
    with pytest.raises(requests.ConnectionError):
        client.get("groups")
    client.console.stop()


def test_restart(client: Any) -> None:
    """An outage could not end: the console would come back at another address."""
    url = client.console.url
    client.console.stop()
    client.console.start()
    assert client.console.url == url
    assert client.get("groups").status_code == 200


def test_stop_ends_waiting(serve: Any) -> None:
    """A test with a slow console would take as long as its slowest answer."""
    client = serve(latency=60)
    with pytest.raises(requests.Timeout):
        client.session.get(f"{client.console.url}/web/api/v2.1/groups", timeout=0.1)
    started = time.monotonic()
    client.console.stop()
    assert time.monotonic() - started < 2


def test_own_mistakes_are_shown(
    client: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A mistake in the console would look like a lost connection."""
    monkeypatch.setattr(client.console.world, "page", None)
    with pytest.raises(requests.ConnectionError):
        client.get("groups")
    client.console.stop()
    assert "TypeError" in capfd.readouterr().err


@pytest.mark.slow
def test_a_hundred_thousand_records() -> None:
    """A benchmark's tenant would make the console the slowest part."""
    world = World(seed=1)
    world.populate(activities=100_000, over=timedelta(days=30))
    with Console(world, {TOKEN}) as console, requests.Session() as session:
        session.headers["Authorization"] = f"ApiToken {TOKEN}"
        url = f"{console.url}/web/api/v2.1/{ENDPOINTS['activities'].path}"
        asked = {"limit": "1", "sortBy": "createdAt", "skipCount": "true"}
        session.get(url, params=asked, timeout=60)
        started = time.monotonic()
        for _ in range(50):
            world.new_activity()
            assert session.get(url, params=asked, timeout=60).status_code == 200
        assert time.monotonic() - started < 5
