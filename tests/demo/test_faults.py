"""Each fault as a client sees it."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from doubles import faults
from doubles.console import Console
from sentinelone_source.demo.transport import Answer

JSON = "application/json"


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
    serve: Any, fault: faults.Fault, status: int, content_type: str, words: str
) -> None:
    """The client would be tested against something that no console or proxy sends."""
    client = serve([fault])
    answer = client.get("groups")
    assert answer.status_code == status
    assert answer.headers.get("Content-Type", "").startswith(content_type)
    assert words in answer.text
    assert bool(answer.text) == bool(words)
    assert client.get("groups").json()["data"] == []


@pytest.mark.parametrize(
    ("given", "sent"), [(None, None), (1, "1"), ("Wed, 21 Oct 2026 07:28:00 GMT",) * 2]
)
def test_retry_after(serve: Any, given: float | str | None, sent: str | None) -> None:
    """Seconds, a date or nothing at all would not be told apart."""
    answer = serve([faults.throttle("groups", retry_after=given)]).get("groups")
    assert answer.headers.get("Retry-After") == sent


def test_redirect_leads_to_the_log_in(serve: Any) -> None:
    """A client that follows redirects would not end where it does in life."""
    client = serve([faults.redirect("groups")])
    answer = client.session.get(f"{client.console.url}/web/api/v2.1/groups", timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("sent", [0, 100])
def test_reset(many: Any, serve: Any, sent: int) -> None:
    """The connection would end politely."""
    client = serve([faults.reset("groups", sent=sent)])
    with pytest.raises(
        (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    ) as caught:
        client.get("groups")
    assert "reset" in str(caught.value).lower()
    assert client.console.requests[0].status == (200 if sent else 0)
    assert client.get("groups").status_code == 200


def test_close_within_the_body(many: Any, serve: Any) -> None:
    """A body shorter than announced would not occur."""
    client = serve([faults.close("groups", sent=50)])
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.get("groups")
    assert client.get("groups").status_code == 200


def test_broken_json(many: Any, serve: Any) -> None:
    """A complete answer with half a document would not occur."""
    client = serve([faults.broken_json("groups")])
    answer = client.get("groups")
    assert answer.status_code == 200
    assert answer.content.startswith(b'{"data":[')
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert client.get("groups").json()["data"]


def test_broken_gzip(many: Any, serve: Any) -> None:
    """A gzip stream that breaks off would not occur."""
    client = serve([faults.broken_gzip("groups")])
    answer = client.get("groups")
    assert answer.headers["Content-Encoding"] == "gzip"
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert client.get("groups").json()["data"]


def test_hang(serve: Any) -> None:
    """A silent console would answer at once, or never again."""
    client = serve([faults.hang("groups", 5)])
    with pytest.raises(requests.Timeout):
        client.session.get(f"{client.console.url}/web/api/v2.1/groups", timeout=0.1)
    started = time.monotonic()
    assert client.get("groups").status_code == 200
    assert time.monotonic() - started < 3


def test_repeated_cursor(many: Any, serve: Any) -> None:
    """A client that walks in circles would not be caught."""
    client = serve([faults.repeat_cursor("groups")])
    _, first = client.page("groups")
    page, second = client.page("groups", cursor=first)
    assert len(page) == 10
    assert second == first
    again, third = client.page("groups", cursor=second)
    assert again == page
    assert third != second


def test_invalid_cursor(many: Any, serve: Any) -> None:
    """A walk that has to begin again would not occur."""
    client = serve([faults.invalid_cursor("groups")])
    _, cursor = client.page("groups")
    lost = client.get("groups", cursor=cursor)
    assert lost.status_code == 400
    assert lost.json()["errors"][0]["code"] == 4000010
    assert client.get("groups", cursor=cursor).status_code == 200


def statuses(client: Any, path: str, count: int, **parameters: Any) -> list[int]:
    return [client.get(path, **parameters).status_code for _ in range(count)]


def test_a_script_is_played_in_order(serve: Any) -> None:
    """Faults would come at other requests than the script says."""
    script = [
        faults.status("groups", 503, times=2),
        faults.status("threats", 500),
        faults.status("groups", 502, after=1),
    ]
    client = serve(script)
    assert statuses(client, "groups", 5) == [503, 503, 200, 502, 200]
    assert statuses(client, "threats", 2) == [500, 200]
    assert statuses(client, "agents", 2) == [200, 200]


def test_for_ever(serve: Any) -> None:
    """An outage would end by itself."""
    client = serve([faults.status("*", 503, times=None)])
    assert statuses(client, "groups", 3) + statuses(client, "system/info", 3) == [503] * 6
    client.console.faults.clear()
    assert statuses(client, "groups", 1) == [200]


def test_first_pages_only(many: Any, serve: Any) -> None:
    """A fault for the first page of a walk would hit the second."""
    client = serve([faults.status("groups", 503, on="first", after=1)])
    _, cursor = client.page("groups")
    assert statuses(client, "groups", 1, cursor=cursor) == [200]
    assert statuses(client, "groups", 2) == [503, 200]


def test_own_queue_before_the_common_one(serve: Any) -> None:
    """A fault for one endpoint would be shadowed by one for all."""
    client = serve([faults.status("*", 502, times=2), faults.status("groups", 503)])
    assert statuses(client, "groups", 3) == [503, 502, 502]


def test_adding_while_it_runs(client: Any) -> None:
    """A test could not break what worked before."""
    assert statuses(client, "groups", 1) == [200]
    client.console.faults.add(faults.status("groups", 503))
    assert statuses(client, "groups", 2) == [503, 200]


def test_faults_before_authentication(world: Any) -> None:
    """A proxy in front of the console answers whoever asks."""
    with Console(world, set(), [faults.bad_gateway("groups")]) as console:
        url = f"{console.url}/web/api/v2.1/groups"
        assert requests.get(url, timeout=5).status_code == 502
        assert requests.get(url, timeout=5).status_code == 401


def test_dates(world: Any, serve: Any) -> None:
    """A console says no time, or a wrong one, when the script says so."""
    script = [faults.date("groups", None), faults.date("groups", timedelta(hours=-2))]
    client = serve(script)
    assert "Date" not in client.get("groups").headers
    told = parsedate_to_datetime(client.get("groups").headers["Date"])
    assert told == world.now().replace(microsecond=0) - timedelta(hours=2)


def test_pages_that_are_too_large(many: Any, serve: Any) -> None:
    """Only requests for more records than the script allows fail."""
    client = serve([faults.fails_above("groups", 10)])
    answers = [client.get("groups", limit=limit).status_code for limit in (11, 10, 1000)]
    assert answers == [504, 200, 504]


def test_filters_without_effect(many: Any, serve: Any) -> None:
    """A filter is ignored when the script says so, and only the one that it names."""
    client = serve([faults.ignores_filter("groups", "updatedAt__lt", times=1)])
    never = {"updatedAt__lt": "1990-01-01T00:00:00Z"}
    assert client.page("groups", **never)[0]
    assert not client.page("groups", **never)[0]


def test_records_that_change_all_the_time(many: Any, serve: Any) -> None:
    """Every record that was changed longest ago has a new version in each answer."""
    client = serve([faults.changes("groups", 10)])
    first, second, third = (
        {(r["id"], r["updatedAt"]) for r in client.walk("groups", limit=100)} for _ in "abc"
    )
    assert len(first & second) == 20
    assert len(first & third) == 10


@pytest.mark.parametrize("how", faults.ENCODINGS)
def test_encodings(many: Any, serve: Any, how: str) -> None:
    """Every encoding arrives as it was named, whatever the client accepts."""
    client = serve([faults.encoded("groups", how)])
    url = f"{client.console.url}/web/api/v2.1/groups"
    with client.session.get(url, stream=True, timeout=5) as answer:
        wire = answer.raw.read(decode_content=False)
        said = answer.headers.get("Content-Encoding")
    assert said == {"unknown": "br", "gzip that is none": "gzip"}.get(how, said)
    first = {"gzip that is not said": b"\x1f\x8b", "byte order mark": b"\xef\xbb\xbf{"}
    assert wire.startswith(first.get(how, wire[:2]))
    assert client.get("groups").json()["data"]
