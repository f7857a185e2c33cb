"""Each fault as a client sees it, and what it leaves behind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from demo.dce.conftest import STREAM, TABLE, row
from doubles import azure_faults as faults
from support.waiting import until

if TYPE_CHECKING:
    from demo.dce.conftest import Client

AGENTS = "Custom-SentinelOneAgents_CL"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "AuthenticationFailed"),
        (403, "OperationFailed"),
        (404, "NotFound"),
        (413, "ContentLengthLimitExceeded"),
        (429, "TooManyRequests"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
        (418, "Error"),
    ],
)
def test_refused_rows(client: Client, status: int, code: str) -> None:
    """A shipper is tested against what Azure does not send, or a refused row is kept."""
    client.azure.faults.add(faults.refuse("ingestion", status))
    answer = client.send([row()])
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert not client.azure.rows[TABLE]
    assert client.send([row()]).status_code == 204
    assert [request.status for request in client.azure.requests] == [status, 204]


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_refused_tokens(stranger: Client, status: int) -> None:
    """A client cannot be tested against a token endpoint in trouble."""
    stranger.azure.faults.add(faults.refuse("token", status))
    answer = stranger.ask()
    assert answer.status_code == status
    assert answer.json()["error_description"].startswith("AADSTS")
    assert stranger.ask().status_code == 200
    assert [request.status for request in stranger.azure.token_requests] == [status, 200]


@pytest.mark.parametrize("where", ["token", "ingestion"])
@pytest.mark.parametrize(
    ("given", "sent"), [(None, None), (1, "1"), ("Wed, 21 Oct 2026 07:28:00 GMT",) * 2]
)
def test_retry_after(
    client: Client, where: str, given: float | str | None, sent: str | None
) -> None:
    """Seconds, a date or nothing at all cannot be told apart."""
    client.azure.faults.add(faults.throttle(where, retry_after=given))
    answer = client.ask() if where == "token" else client.send([row()])
    assert answer.status_code == 429
    assert answer.headers.get("Retry-After") == sent


def test_reset_keeps_nothing(client: Client) -> None:
    """A connection ends politely, or rows are there that the sender sends again."""
    client.azure.faults.add(faults.reset("ingestion"), faults.reset("token"))
    with pytest.raises(requests.ConnectionError, match="reset"):
        client.send([row()])
    with pytest.raises(requests.ConnectionError, match="reset"):
        client.ask()
    assert not client.azure.rows[TABLE]
    assert [request.status for request in client.azure.requests] == [0]
    assert client.azure.token_requests[-1].status == 0
    assert client.send([row()]).status_code == 204


def test_a_lost_answer_keeps_rows(client: Client) -> None:
    """A sender that sends twice what has arrived cannot be seen doing so."""
    client.azure.faults.add(faults.lose_answer("ingestion"))
    with pytest.raises(requests.ConnectionError):
        client.send([row(ThreatName="a")])
    assert client.send([row(ThreatName="a")]).status_code == 204
    assert len(client.azure.rows[TABLE]) == 2
    assert [(request.status, request.rows) for request in client.azure.requests] == [
        (0, 1),
        (204, 1),
    ]


def test_hang(client: Client) -> None:
    """A service that is slow answers at once, or rows of a client that has gone are kept."""
    client.azure.faults.add(faults.hang("ingestion", 0.5, times=2))
    with pytest.raises(requests.Timeout):
        client.session.post(client.url(), json=[row()], timeout=0.1)
    assert client.send([row()]).status_code == 204
    until(lambda: len(client.azure.requests) == 2)
    assert sorted(request.status for request in client.azure.requests) == [0, 204]
    assert len(client.azure.rows[TABLE]) == 1


@pytest.mark.parametrize("where", ["token", "ingestion"])
def test_stop_ends_a_hang(client: Client, where: str) -> None:
    """A test with a hanging service takes as long as the service hangs."""
    client.azure.faults.add(faults.hang(where, 3600))
    url = client.azure.token_url if where == "token" else client.url()
    with pytest.raises(requests.Timeout):
        client.session.post(url, json=[row()], timeout=0.1)
    client.azure.stop()
    kept: list[Any] = client.azure.token_requests if where == "token" else client.azure.requests
    until(lambda: kept and kept[-1].status == 0)
    assert not client.azure.rows[TABLE]


def test_discovery_has_its_own_queue(stranger: Client) -> None:
    """A fault of the token endpoint is used up by a client that asks where it is."""
    azure = stranger.azure
    url = azure.token_url.replace("/oauth2/v2.0/token", "/v2.0/.well-known/openid-configuration")
    azure.faults.add(faults.refuse("token", 503), faults.refuse("discovery", 502))
    assert stranger.session.get(url, timeout=5).status_code == 502
    assert stranger.session.get(url, timeout=5).status_code == 200
    assert stranger.ask().status_code == 503
    assert len(azure.token_requests) == 1


def statuses(client: Client, count: int, stream: str = STREAM) -> list[int]:
    return [client.send([], client.url(stream)).status_code for _ in range(count)]


def test_a_script_is_played_in_order(client: Client) -> None:
    """Faults come at other requests than the script says."""
    client.azure.faults.add(
        faults.refuse("ingestion", 503, times=2), faults.refuse("ingestion", 500, after=1)
    )
    assert statuses(client, 5) == [503, 503, 204, 500, 204]
    assert client.ask().status_code == 200


def test_one_stream_alone(client: Client) -> None:
    """One table's trouble cannot be played while the others go on."""
    client.azure.faults.add(faults.refuse(AGENTS, 403, times=None))
    assert statuses(client, 2, AGENTS) == [403, 403]
    assert statuses(client, 2) == [204, 204]
    client.azure.faults.clear()
    assert statuses(client, 1, AGENTS) == [204]


def test_an_outage(client: Client) -> None:
    """A service that is down answers, or comes back elsewhere and without what it had."""
    azure = client.azure
    client.send([row()])
    url, asked = client.url(), time.time()
    azure.stop()
    with pytest.raises(requests.ConnectionError):
        client.send([row()])
    azure.start()
    assert client.url() == url
    assert client.send([row()]).status_code == 204
    assert len(azure.rows[TABLE]) == len(azure.requests) == 2
    assert azure.requests[0].time <= asked <= azure.requests[1].time
    azure.stop()
    azure.stop()
