"""The loopback Azure: who gets a token, what becomes of rows, what it does wrong when told to."""

from __future__ import annotations

import base64
import gzip
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from azure.core.credentials import AccessToken
from azure.monitor.ingestion import LogsIngestionClient

from doubles import azure_faults as faults
from doubles.azure import Azure
from sentinelone_source.demo.dce.ingestion import MAX_PLAIN, MAX_WIRE, Stream, built_in_streams
from support.waiting import until

MONITOR = "https://monitor.azure.com"
SCOPE = f"{MONITOR}/.default"
TABLE = "SentinelOneThreats_CL"
STREAM = f"Custom-{TABLE}"
AGENTS = "Custom-SentinelOneAgents_CL"
STREAMS = built_in_streams()
ASSERTED = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class AzureClient:
    """Asks for tokens and sends rows over one kept-alive connection, plain."""

    def __init__(self, azure: Azure) -> None:
        self.azure = azure
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, **changes: str | None) -> requests.Response:
        """A request for a token; a change to None leaves a field out."""
        known = self.azure.behaviour
        form: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "client_id": known.client_id,
            "client_secret": known.client_secret,
            "scope": SCOPE,
            **changes,
        }
        return self.session.post(self.azure.token_url, data=form, timeout=60)

    def federated(self, text: str) -> int:
        """The status of a request with a federated token."""
        how = {"client_assertion_type": ASSERTED, "client_assertion": text}
        return self.ask(client_secret=None, **how).status_code

    def authorize(self, **changes: str | None) -> None:
        """Sends a token from now on."""
        token = self.ask(**changes).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def url(self, stream: str = STREAM, dcr_id: str = "") -> str:
        path = f"/dataCollectionRules/{dcr_id or self.azure.behaviour.dcr_id}/streams/{stream}"
        return f"{self.azure.plain.url}{path}?api-version=2023-01-01"

    def send(self, body: Any, url: str = "", **headers: str) -> requests.Response:
        """Bytes or an iterator of them as they are, anything else as JSON."""
        is_raw = isinstance(body, bytes) or hasattr(body, "__next__")
        data = body if is_raw else json.dumps(body).encode()
        return self.session.post(url or self.url(), data=data, headers=headers, timeout=60)

    def get(self, path: str, **query: str) -> Any:
        """What the inspection shows."""
        return self.session.get(f"{self.azure.plain.url}{path}", params=query, timeout=60).json()


def row(**columns: Any) -> dict[str, Any]:
    """A row of threats, of a time that Azure leaves alone."""
    return {"TimeGenerated": datetime.now(UTC).isoformat(), **columns}


def jwt(**claims: Any) -> str:
    """A federated token of somebody else; good for a long time."""
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, {"exp": 2**33, **claims}))
    return ".".join(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in (*parts, b"sig"))


@pytest.fixture
def client() -> Iterator[AzureClient]:
    """A client with a token, of an Azure without TLS."""
    with Azure(STREAMS, listen_tls=None) as azure:
        client = AzureClient(azure)
        with client.session:
            client.authorize()
            yield client


@pytest.fixture
def secure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    """With TLS."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    with Azure(STREAMS) as azure:
        yield azure


@pytest.mark.parametrize(
    ("changes", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"client_id": "somebody"}, 400, "unauthorized_client", 700016),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": MONITOR}, 400, "invalid_scope", 1002012),
        ({"scope": "https://example.com/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_refused_credentials(
    client: AzureClient, changes: dict[str, str | None], status: int, error: str, code: int
) -> None:
    """A wrong credential is refused with Entra's status, error and code."""
    answer = client.ask(**changes)
    body = answer.json()
    assert answer.status_code == status
    assert (body["error"], body["error_codes"]) == (error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert "access_token" not in body


def test_assertions(client: AzureClient) -> None:
    """Federated tokens are accepted while they are good, certificates for their endpoint."""
    for broken in ("", "a.b", "a.b.c", "é.ü.ä", jwt(exp=1), jwt(exp="late")):
        assert client.federated(broken) == 401
    first, second = jwt(sub="first"), jwt(sub="second")
    assert client.federated(first) == 200
    client.azure.behaviour.assertions = frozenset({second})
    assert [client.federated(first), client.federated(second)] == [401, 200]
    own = client.azure.behaviour.client_id
    assert client.federated(jwt(iss=own, aud="https://elsewhere/")) == 401
    assert client.federated(jwt(iss=own, aud=client.azure.token_url)) == 200


def test_who_may_send(client: AzureClient) -> None:
    """Rows are taken with a token of this service that has neither expired nor been revoked."""
    token = client.session.headers["Authorization"]
    for wrong in ("", "Bearer", "Bearer x", "Basic YTpi", f"Bearer {jwt(aud=MONITOR)}"):
        client.session.headers["Authorization"] = wrong
        answer = client.send([row()])
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "AuthenticationFailed"
    client.session.headers["Authorization"] = token
    assert client.send([row()]).status_code == 204
    client.azure.revoke()
    assert client.send([row()]).status_code == 401
    client.authorize(scope="https://management.azure.com/.default")
    assert client.send([row()]).status_code == 401
    client.azure.behaviour.token_life = 0
    client.authorize()
    assert "expired" in client.send([row()]).json()["error"]["message"]
    assert len(client.azure.rows[TABLE]) == 1


def test_managed_identity(client: AzureClient) -> None:
    """A managed identity gets a token only with the right header and parameters."""
    url, headers = client.azure.identity_endpoint, {"X-Identity-Header": "demo-identity"}
    right = {"api-version": "2019-08-01", "resource": MONITOR}

    def asked(headers: dict[str, str], **changes: str) -> requests.Response:
        return client.session.get(url, params=right | changes, headers=headers, timeout=60)

    body = asked(headers).json()
    assert all(isinstance(body[name], str) for name in ("expires_on", "expires_in"))
    client.session.headers["Authorization"] = f"Bearer {body['access_token']}"
    assert client.send([row()]).status_code == 204
    for wrong in ({"resource": "https://a.example"}, {"client_id": "x"}, {"api-version": ""}):
        assert asked(headers, **wrong).status_code == 400
    assert asked({}).status_code == 401


def test_rows_are_kept(client: AzureClient) -> None:
    """Rows are kept value by value, and what Azure drops silently is counted."""
    sent = [
        row(ThreatName="Zürich 🦆 \x00 \u2028", ThreatInfo={"a": [1, None, {"b": 2**64 - 1}]}),
        row(ThreatName="", ThreatInfo={"n": -(2**63), "r": 0.1, "big": 10**25}),
    ]
    answer = client.send(sent)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers
    assert client.azure.rows[TABLE] == sent
    assert client.send([1, sent[0] | {"_table": TABLE}, "x", None]).status_code == 204
    assert client.send({"ThreatName": "a"}).status_code == 204
    assert client.azure.rows[TABLE] == [*sent, sent[0]]
    told = client.get("/summary")
    assert told["rows"][TABLE] == 3
    assert told["requests"] == {"token": {"200": 1}, "ingestion": {"204": 3}}
    assert {name: counts for name, counts in told["losses"].items() if counts} == {
        "single_objects": {STREAM: 1},
        "elements_not_objects": {STREAM: 3},
        "undeclared_columns": {f"{TABLE}._table": 1},
    }


@pytest.mark.parametrize("text", ["a" * 65_537, "é" * 40_000, "🦆" * 17_000, ["x" * 70_000]])
def test_long_values(client: AzureClient, text: Any) -> None:
    """A value of more than 64 KiB is cut, whole characters only."""
    column = "ThreatName" if isinstance(text, str) else "ThreatInfo"
    client.send([row(**{column: text}), row(**{column: text[:9]})])
    first, second = client.azure.rows[TABLE]
    assert 65_533 <= len(first[column].encode()) <= 65_536
    assert second[column] == text[:9] or column == "ThreatInfo"
    assert client.azure.losses["truncated_values"][f"{TABLE}.{column}"] >= 1


def test_types() -> None:
    """A value of another type than its column's is counted, and kept."""
    cases: dict[str, tuple[list[Any], list[Any]]] = {
        "string": (["x"], [7]),
        "datetime": (["2026-01-01"], [1.5]),
        "int": ([3], [3.5, True]),
        "long": ([2**63, 3.0], ["3", True]),
        "real": ([3.5, 3], ["3", True]),
        "boolean": ([True, False], ["true", 0]),
        "dynamic": ([{}, 1, "x"], []),
    }
    stream = Stream("Custom-Things_CL", "Things_CL", {kind: kind for kind in cases})
    with Azure([stream], listen_tls=None) as azure, requests.Session() as session:
        client = AzureClient(azure)
        client.session = session
        client.authorize()
        good = [{kind: v} for kind, (values, _) in cases.items() for v in [*values, None]]
        bad = [{kind: v} for kind, (_, values) in cases.items() for v in values]
        client.send(good + bad, client.url(stream.name))
        assert azure.rows["Things_CL"] == good + bad
        assert azure.losses["values_of_another_type"].total() == len(bad)


@pytest.mark.parametrize("days", [3, 1.9, 0, -0.9, -2, None])
@pytest.mark.parametrize("keep", [False, True])
def test_times(client: AzureClient, days: float | None, keep: bool) -> None:
    """A time of more than two days ago or a day ahead is replaced, unless told to keep it."""
    client.azure.behaviour.keep_times = keep
    at = None if days is None else datetime.now(UTC) - timedelta(days=days)
    sent = {"TimeGenerated": at.isoformat()} if at else {}
    client.send([sent])
    is_lost = days is None or not -1 < days < 2
    assert client.azure.losses["times_replaced"] == ({TABLE: 1} if is_lost else {})
    assert (client.azure.rows[TABLE] == [sent]) == (keep or not is_lost)


def packed(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)


def padded(size: int) -> bytes:
    """A JSON array of so many bytes, with one row."""
    encoded = json.dumps([row()]).encode()
    return encoded + b" " * (size - len(encoded))


def test_refused_rows(client: AzureClient) -> None:
    """What Azure refuses is refused with its code, and nothing of it is kept."""
    gzipped = {"Content-Encoding": "gzip"}
    answers = [
        client.send([], client.url(dcr_id="dcr-0")),
        client.send([], client.url("Custom-Threats_CL")),
        client.send([], client.url().partition("?")[0]),
        *(client.send(body) for body in (b"", b"[", b"{}{}", b"[NaN]", b'["\xff"]', b"[" * 99_999)),
        client.send(padded(MAX_WIRE + 1)),
        client.send(packed(padded(MAX_PLAIN + 1)), **gzipped),
        client.send(b"[]", **gzipped),
        client.send(packed(b"[]" * 100)[:-9], **gzipped),
        client.send(b"[]", **{"Content-Encoding": "br"}),
    ]
    client.azure.behaviour.has_role = False
    answers.append(client.send([row()]))
    refused = [(answer.status_code, answer.json()["error"]["code"]) for answer in answers]
    assert refused == [
        *[(404, "NotFound")] * 2,
        (400, "MissingApiVersionParameter"),
        *[(400, "InvalidJson")] * 6,
        (413, "ContentLengthLimitExceeded"),
        (413, "PayloadSizeLimitExceeded"),
        *[(400, "InvalidContent")] * 3,
        (403, "OperationFailed"),
    ]
    assert not client.azure.rows[TABLE]
    assert [r.status for r in client.azure.requests] == [status for status, _ in refused]


def test_bodies(client: AzureClient) -> None:
    """Bodies up to the limits are taken: gzip of several members, an absolute URL."""
    body = json.dumps([row(), row()]).encode()
    client.send(packed(body[:9]) + packed(body[9:]), **{"Content-Encoding": "gzip"})
    client.send(padded(MAX_WIRE))
    client.send(packed(padded(MAX_PLAIN)), **{"Content-Encoding": "gzip"})
    target = client.url().replace(client.azure.plain.url, "https://dce.example")
    assert spoken(client, target, "Content-Length: 2\r\n\r\n[]").startswith(b"HTTP/1.1 204 ")
    seen = client.azure.requests
    assert [one.rows for one in seen] == [2, 1, 1, 0]
    assert [one.plain for one in seen] == [len(body), MAX_WIRE, MAX_PLAIN, 2]
    assert [one.absolute for one in seen] == [False] * 3 + [True]


def spoken(client: AzureClient, target: str, rest: str) -> bytes:
    """The answer to a request line and the rest, over a socket of its own."""
    server = client.azure.plain
    with socket.create_connection((server.host, server.port), 60) as connection:
        token = client.session.headers["Authorization"]
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {token!s}\r\n"
        connection.sendall(f"{head}{rest}".encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize(
    ("rest", "answer"),
    [
        ("Content-Length: x\r\n\r\n[]", b"HTTP/1.1 411 "),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n", b"HTTP/1.1 411 "),
        ("Content-Length: 9\r\n\r\n[{}]", b""),
    ],
)
def test_broken_framing(client: AzureClient, rest: str, answer: bytes) -> None:
    """A body that cannot be told from the next request, or breaks off, is not taken."""
    path = client.url().removeprefix(client.azure.plain.url)
    assert spoken(client, path, rest)[:13] == answer
    assert not client.azure.requests


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 502, 503, 418])
@pytest.mark.parametrize("where", ["token", "ingestion"])
def test_refusals(client: AzureClient, where: str, status: int) -> None:
    """A scripted refusal comes once, with a body like the service's and its `Retry-After`."""
    client.azure.faults.add(faults.refuse(where, status, "Wed, 21 Oct 2026 07:28:00 GMT"))
    answers = [client.ask() if where == "token" else client.send([row()]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, 200 if where == "token" else 204]
    assert answers[0].headers["Retry-After"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert answers[0].json()["error"]
    assert len(client.azure.rows[TABLE]) == (where == "ingestion")


def test_lost_answers(client: AzureClient) -> None:
    """A reset keeps nothing; a lost answer keeps the rows."""
    script = [faults.reset("ingestion"), faults.lose_answer("ingestion"), faults.reset("token")]
    client.azure.faults.add(*script)
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            client.send([row()])
    with pytest.raises(requests.ConnectionError):
        client.ask()
    assert [(one.status, one.rows) for one in client.azure.requests] == [(0, 0), (0, 1)]
    assert client.azure.token_requests[-1].status == 0
    assert client.send([row()]).status_code == 204


@pytest.mark.parametrize("where", ["token", "ingestion"])
def test_hang(client: AzureClient, where: str) -> None:
    """A request without an answer stores nothing, and stopping the service ends it."""
    client.azure.faults.add(faults.hang(where, 3600))
    url = client.azure.token_url if where == "token" else client.url()
    with pytest.raises(requests.Timeout):
        client.session.post(url, json=[row()], timeout=0.1)
    until(lambda: not client.azure.faults._queues[where], "the request")
    client.azure.stop()
    seen: list[Any] = client.azure.token_requests if where == "token" else client.azure.requests
    until(lambda: seen and seen[-1].status == 0)
    assert not client.azure.rows[TABLE]


def test_faults_from_outside(client: AzureClient) -> None:
    """Another process scripts errors, stream by stream, and reads counts of what came of them."""

    def order(body: object) -> requests.Response:
        return client.session.post(f"{client.azure.plain.url}/faults", json=body, timeout=60)

    broken: list[Any] = [
        *("x", {"where": "ingestion"}, {"status": 500}, {"where": "token", "code": 500}),
        [{"where": "token", "status": 500}, {"where": "token"}],
    ]
    for body in broken:
        answer = order(body)
        assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
    script = [
        {"where": "ingestion", "status": 429, "retry_after": 2, "times": 2},
        {"where": "ingestion", "status": 500, "after": 1},
        {"where": AGENTS, "status": 403, "times": None},
        {"where": "token", "status": 503},
        {"where": "discovery", "status": 502},
    ]
    assert order(script).status_code == 204
    assert [client.send([]).status_code for _ in range(5)] == [429, 429, 204, 500, 204]
    assert [client.send([], client.url(AGENTS)).status_code for _ in range(2)] == [403, 403]
    discovery = "/v2.0/.well-known/openid-configuration"
    url = client.azure.token_url.replace("/oauth2/v2.0/token", discovery)
    assert [client.session.get(url, timeout=60).status_code for _ in range(2)] == [502, 200]
    assert client.ask().status_code == 503
    client.session.delete(f"{client.azure.plain.url}/faults", timeout=60)
    assert client.send([], client.url(AGENTS)).status_code == 204
    for path in ("/", "/row", "/dataCollectionRules/x", "/oauth2/v2.0/tokens"):
        url = f"{client.azure.plain.url}{path}"
        assert client.session.post(url, timeout=60).status_code == 404


def test_what_is_remembered(client: AzureClient) -> None:
    """Requests are recorded without tokens and credentials."""
    client.send([row(ThreatName="é")])
    shown = json.dumps(client.get("/summary"))
    shown += repr((client.azure.requests, client.azure.token_requests, client.azure.behaviour))
    assert "demo-secret" not in shown
    assert "eyJ" not in shown


def test_outage(client: AzureClient) -> None:
    """After a stop and a start the service has its address and its rows again."""
    client.send([row()])
    url = client.url()
    client.azure.stop()
    with pytest.raises(requests.ConnectionError):
        client.send([row()])
    client.azure.start()
    assert client.url() == url
    assert client.send([row()]).status_code == 204
    assert len(client.azure.rows[TABLE]) == 2


class MsalCredential:
    """azure-core's way to a token, by msal."""

    def __init__(self, azure: Azure) -> None:
        known = azure.behaviour
        self.application = msal.ConfidentialClientApplication(
            known.client_id,
            client_credential=known.client_secret,
            authority=f"{azure.authority}/{known.tenant_id}",
            instance_discovery=False,
            verify=str(azure.ca_file),
        )

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        answer = self.application.acquire_token_for_client(list(scopes))
        return AccessToken(answer["access_token"], 2**33)


def test_microsofts_clients(secure: Azure) -> None:
    """Microsoft's own clients get a token over TLS and deliver rows in several requests."""
    sent: list[Any] = [row(ThreatName=bytes([n % 256] * 900).hex()) for n in range(1500)]
    secure.faults.add(faults.refuse("ingestion", 429, retry_after=0))
    with LogsIngestionClient(
        secure.endpoint, MsalCredential(secure), connection_verify=str(secure.ca_file)
    ) as client:
        client.upload(secure.behaviour.dcr_id, STREAM, sent)
    assert secure.rows[TABLE] == sent
    assert {(one.status, one.encoding) for one in secure.requests[1:]} == {(204, "gzip")}


def test_certificate(secure: Azure) -> None:
    """The certificate is for loopback, survives a restart, and its key is in no file."""
    assert secure.tls is not None
    assert secure.ca_file is not None
    secure.stop()
    secure.start()
    for host in ("localhost", "127.0.0.1"):
        url = f"https://{host}:{secure.tls.port}/summary"
        assert requests.get(url, verify=str(secure.ca_file), timeout=60).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=60)
    assert "PRIVATE" not in secure.ca_file.read_text()
    secure.tls.stop()
    assert requests.get(f"{secure.plain.url}/summary", timeout=60).status_code == 200


def test_ports(secure: Azure, tmp_path: Path) -> None:
    """A port that is taken leaves nothing open; IPv6 works where there is one."""
    assert secure.tls is not None
    second = Azure([], listen_tls=("127.0.0.1", secure.tls.port))
    with pytest.raises(OSError, match="in use"):
        second.start()
    with pytest.raises(requests.ConnectionError):
        requests.get(second.plain.url, timeout=60)
    if socket.has_ipv6:
        with Azure([], listen=("::1", 0), listen_tls=None, ca_file=tmp_path / "ca.pem") as azure:
            assert azure.plain.url == f"http://[::1]:{azure.plain.port}"
            assert requests.get(f"{azure.plain.url}/summary", timeout=60).status_code == 200
