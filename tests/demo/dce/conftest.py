"""A loopback Azure, and a client that sends rows to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from doubles.azure import Azure
from sentinelone_source.demo.dce.schema_check import built_in_streams

if TYPE_CHECKING:
    from collections.abc import Iterator

SCOPE = "https://monitor.azure.com/.default"
TABLE = "SentinelOneThreats_CL"
STREAM = "Custom-SentinelOneThreats_CL"
STREAMS = built_in_streams()


class Client:
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
        return self.session.post(self.azure.token_url, data=form, timeout=10)

    def authorize(self, **changes: str | None) -> None:
        """Sends a token from now on."""
        token = self.ask(**changes).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def url(self, stream: str = STREAM, dcr_id: str = "", version: str = "2023-01-01") -> str:
        rule = dcr_id or self.azure.behaviour.dcr_id
        path = f"/dataCollectionRules/{rule}/streams/{stream}"
        return f"{self.azure.plain.url}{path}?api-version={version}"

    def send(self, body: Any, url: str = "", **headers: str) -> requests.Response:
        """Bytes or an iterator of them as they are, anything else as JSON."""
        is_raw = isinstance(body, bytes) or hasattr(body, "__next__")
        data = body if is_raw else json.dumps(body).encode()
        return self.session.post(url or self.url(), data=data, headers=headers, timeout=10)


def now() -> str:
    """A time that Azure leaves alone."""
    return datetime.now(UTC).isoformat()


def row(**columns: Any) -> dict[str, Any]:
    """A row of threats."""
    return {"TimeGenerated": now(), **columns}


@pytest.fixture(autouse=True)
def _no_foreign_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def azure() -> Iterator[Azure]:
    """Without TLS."""
    with Azure(STREAMS, listen_tls=None) as azure:
        yield azure


@pytest.fixture
def stranger(azure: Azure) -> Iterator[Client]:
    """A client without a token."""
    client = Client(azure)
    with client.session:
        yield client


@pytest.fixture
def client(stranger: Client) -> Client:
    """A client with a token."""
    stranger.authorize()
    return stranger


@pytest.fixture
def secure() -> Iterator[Azure]:
    """With TLS."""
    with Azure(STREAMS) as azure:
        yield azure
