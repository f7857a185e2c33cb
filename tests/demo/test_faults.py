"""Each fault of a console as a client sees it."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from doubles import faults
from doubles.console import ScriptedConsole
from sentinelone_source.demo.http_server import Answer
from support.waiting import until

JSON = "application/json"
BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def many(world: Any) -> Any:
    """A tenant with a few pages of groups."""
    world.populate(groups=30)
    return world


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "words"),
    [
        (faults.unauthorized("groups"), 401, JSON, "4010010"),
        (faults.unauthorized("groups", plain=True), 401, "text/plain", "An error occurred."),
        (faults.forbidden("groups"), 403, JSON, "4030010"),
        (faults.forbidden("groups", html=True), 403, "text/html", "403 Forbidden"),
        (faults.throttle("groups"), 429, JSON, "throttled"),
        (faults.throttle_html("groups"), 429, "text/html", "429 Too Many Requests"),
        (faults.server_error("groups"), 500, JSON, "Server could not process the request."),
        (faults.bad_gateway("groups"), 502, "", ""),
        (faults.status("groups", 503, "away", "text/plain"), 503, "text/plain", "away"),
        (faults.status("groups", 599), 599, "", ""),
        (faults.login_page("groups"), 200, "text/html", "log in"),
        (faults.redirect("groups"), 302, "", ""),
        (faults.say("groups", Answer(200, b"[]")), 200, JSON, "[]"),
    ],
)
def test_other_answers(
    serve: Any, fault: faults.ConsoleFault, status: int, content_type: str, words: str
) -> None:
    """Each answer that consoles and proxies give can be scripted, and comes once."""
    client = serve([fault])
    answer = client.get("groups")
    assert answer.status_code == status
    assert answer.headers.get("Content-Type", "").startswith(content_type)
    assert words in answer.text
    assert bool(answer.text) == bool(words)
    assert client.get("groups").json()["data"] == []


@pytest.mark.parametrize("given", [None, 1, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_retry_after(serve: Any, given: float | str | None) -> None:
    """`Retry-After` is sent as seconds or a date, or left out."""
    answer = serve([faults.throttle("groups", retry_after=given)]).get("groups")
    assert answer.headers.get("Retry-After") == (None if given is None else str(given))


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (faults.reset("groups"), 0, "reset"),
        (faults.reset("groups", sent=100), 200, "reset"),
        (faults.close("groups", sent=50), 200, "IncompleteRead"),
    ],
)
def test_connections_that_end(
    many: Any, serve: Any, fault: faults.ConsoleFault, status: int, words: str
) -> None:
    """A connection can be ended before the answer or within its body."""
    client = serve([fault])
    with pytest.raises(BROKEN, match=f"(?i){words}"):
        client.get("groups")
    assert client.console.requests[0].status == status
    assert client.get("groups").status_code == 200


def test_broken_bodies(many: Any, serve: Any) -> None:
    """A body can be cut off within its JSON or its gzip stream."""
    client = serve([faults.broken_json("groups"), faults.broken_gzip("groups")])
    for _ in range(2):
        answer = client.get("groups")
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()
    assert client.get("groups").json()["data"]


def test_hang(serve: Any) -> None:
    """A request without an answer is recorded, and the next one is answered."""
    client = serve([faults.hang("groups", 300)])
    with pytest.raises(requests.Timeout):
        client.session.get(f"{client.base}groups", timeout=0.1)
    until(lambda: len(client.console.requests) == 1, "the request")
    assert client.get("groups").status_code == 200
    client.console.stop()


def test_cursors(many: Any, serve: Any) -> None:
    """A cursor can be repeated or refused, which changes only requests that have one."""
    script = [faults.repeat_cursor("groups"), faults.invalid_cursor("groups")]
    client = serve(script)
    _, first = client.page("groups")
    page, second = client.page("groups", cursor=first)
    assert (len(page), second) == (10, first)
    assert client.get("groups").status_code == 200
    assert client.get("groups", cursor=first).json()["errors"][0]["code"] == 4000010
    assert client.page("groups", cursor=first)[1] != first


def statuses(client: Any, path: str, count: int, **parameters: Any) -> list[int]:
    return [client.get(path, **parameters).status_code for _ in range(count)]


def test_a_script_is_played_in_order(many: Any, serve: Any) -> None:
    """Each endpoint has its own queue, before the common one; `on` says which requests count."""
    script = [
        faults.status("groups", 503, times=2),
        faults.status("groups", 502, after=1),
        faults.status("groups", 501, on="first"),
        faults.status("threats", 500),
        faults.status("*", 504, times=2),
    ]
    client = serve(script)
    assert statuses(client, "groups", 5) == [501, 503, 503, 200, 502]
    assert statuses(client, "groups", 1, cursor="x") == [504]
    assert statuses(client, "threats", 3) == [500, 504, 200]
    client.console.faults.add(faults.status("*", 503, times=None))
    assert statuses(client, "groups", 3) + statuses(client, "system/info", 2) == [503] * 5
    client.console.faults.clear()
    assert statuses(client, "groups", 1) == [200]


def test_faults_before_authentication(world: Any) -> None:
    """A scripted answer comes before the token is checked."""
    with ScriptedConsole(world, set(), [faults.bad_gateway("groups")]) as console:
        url = f"{console.url}/web/api/v2.1/groups"
        assert [requests.get(url, timeout=60).status_code for _ in range(2)] == [502, 401]


def test_dates(world: Any, serve: Any) -> None:
    """The `Date` header can be left out or be wrong."""
    client = serve([faults.date("groups", None), faults.date("groups", timedelta(hours=-2))])
    assert "Date" not in client.get("groups").headers
    told = parsedate_to_datetime(client.get("groups").headers["Date"])
    assert told == world.now().replace(microsecond=0) - timedelta(hours=2)


def test_pages_filters_and_changes(many: Any, serve: Any) -> None:
    """Large pages can fail, a filter can have no effect, records can change between answers."""
    client = serve([faults.fails_above("groups", 10, times=3)])
    assert [client.get("groups", limit=limit).status_code for limit in (11, 10, 99)] == [
        504,
        200,
        504,
    ]
    never = {"updatedAt__lt": "1990-01-01T00:00:00Z"}
    client.console.faults.add(faults.ignores_filter("groups", "updatedAt__lt", times=1))
    assert client.page("groups", **never)[0]
    assert not client.page("groups", **never)[0]
    client.console.faults.add(faults.changes("groups", 10))
    first, second, third = (
        {(r["id"], r["updatedAt"]) for r in client.page("groups", limit=100)[0]} for _ in "abc"
    )
    assert (len(first & second), len(first & third)) == (20, 10)


@pytest.mark.parametrize("how", faults.ENCODINGS)
def test_encodings(many: Any, serve: Any, how: str) -> None:
    """A body is sent in the encoding that the script names, whatever the client accepts."""
    client = serve([faults.encoded("groups", how)])
    with client.session.get(f"{client.base}groups", stream=True, timeout=60) as answer:
        wire = answer.raw.read(decode_content=False)
        said = answer.headers.get("Content-Encoding")
    assert said == {"unknown": "br", "gzip that is none": "gzip"}.get(how, said)
    first = {"gzip that is not said": b"\x1f\x8b", "byte order mark": b"\xef\xbb\xbf{"}
    assert wire.startswith(first.get(how, wire[:2]))
    assert client.get("groups").json()["data"]
