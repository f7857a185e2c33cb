"""Microsoft's own clients, over TLS, with the certificate that is made at the start."""

from __future__ import annotations

import random
import ssl
import sys
from typing import TYPE_CHECKING, Any

import msal
import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.monitor.ingestion import LogsIngestionClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from demo.dce.conftest import SCOPE, STREAM, TABLE, row
from demo.dce.test_tokens import jwt
from demo.test_tls import made
from doubles import azure_faults as faults
from doubles.azure import Azure
from sentinelone_source.demo.dce import certificates
from sentinelone_source.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def application(azure: Azure, credential: Any = None) -> Any:
    """msal's, pointed at a loopback Azure."""
    known = azure.behaviour
    return msal.ConfidentialClientApplication(
        known.client_id,
        client_credential=credential or known.client_secret,
        authority=f"{azure.authority}/{known.tenant_id}",
        instance_discovery=False,
        verify=str(azure.ca_file),
    )


class Credential:
    """azure-core's way to a token, by msal."""

    def __init__(self, azure: Azure) -> None:
        self._application = application(azure)

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        answer = self._application.acquire_token_for_client(list(scopes))
        return AccessToken(answer["access_token"], 2**33)


def uploader(azure: Azure, **options: Any) -> LogsIngestionClient:
    return LogsIngestionClient(
        azure.endpoint, Credential(azure), connection_verify=str(azure.ca_file), **options
    )


def test_msal_with_a_secret(secure: Azure) -> None:
    """msal cannot be used against this endpoint, or its cache is not seen at work."""
    app = application(secure)
    first, second = (app.acquire_token_for_client([SCOPE]) for _ in range(2))
    assert first["access_token"] == second["access_token"]
    assert second["token_source"] == "cache"
    assert len(secure.token_requests) == 1


def test_msal_with_a_wrong_secret(secure: Azure) -> None:
    """A wrong secret looks different to msal than in life."""
    answer = application(secure, "wrong").acquire_token_for_client([SCOPE])
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]


def test_msal_with_a_federated_token(secure: Azure) -> None:
    """Workload identity by msal cannot be tried."""
    secure.behaviour.assertions = frozenset({jwt(sub="pod")})
    app = application(secure, {"client_assertion": lambda: jwt(sub="pod")})
    assert app.acquire_token_for_client([SCOPE])["access_token"]
    assert secure.token_requests[0].credential == "assertion"
    other = application(secure, {"client_assertion": lambda: jwt(sub="other")})
    assert other.acquire_token_for_client([SCOPE])["error_codes"] == [700213]


def test_msal_with_a_certificate(secure: Azure) -> None:
    """Certificates by msal cannot be tried."""
    _, certificate = made()
    credential = {
        "private_key": rsa_key(),
        "public_certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }
    answer = application(secure, credential).acquire_token_for_client([SCOPE])
    assert "access_token" in answer, answer
    assert secure.token_requests[0].credential == "assertion"


def rsa_key() -> str:
    """What msal can sign with; the server does not look at signatures."""
    return (
        rsa.generate_private_key(65_537, 2048)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


@pytest.mark.parametrize("way", ["virtual machine", "app service"])
def test_msal_with_managed_identity(
    secure: Azure, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Managed identity by msal cannot be tried."""
    if way == "virtual machine":
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", secure.plain.url)
    else:
        monkeypatch.setenv("IDENTITY_ENDPOINT", secure.identity_endpoint)
        monkeypatch.setenv("IDENTITY_HEADER", secure.behaviour.identity_header)
    with requests.Session() as session:
        client = msal.ManagedIdentityClient(
            msal.SystemAssignedManagedIdentity(), http_client=session
        )
        answer = client.acquire_token_for_client(resource="https://monitor.azure.com")
    assert "access_token" in answer, answer
    assert answer["expires_in"] > 3500


def test_upload(secure: Azure) -> None:
    """Microsoft's client cannot deliver, or other rows than it was given arrive."""
    rng = random.Random(5)
    sent: list[Any] = [row(ThreatName=rng.randbytes(900).hex()) for _ in range(1500)]
    with uploader(secure) as client:
        client.upload(secure.behaviour.dcr_id, STREAM, sent)
    assert secure.rows[TABLE] == sent
    assert len(secure.requests) > 1
    assert {(r.status, r.encoding) for r in secure.requests} == {(204, "gzip")}


def test_upload_refused(secure: Azure) -> None:
    """Microsoft's client reads our refusals otherwise than Azure's."""
    secure.faults.add(
        faults.refuse("ingestion", 429, retry_after=0), faults.refuse("ingestion", 401)
    )
    with uploader(secure) as client:
        with pytest.raises(ClientAuthenticationError):
            client.upload(secure.behaviour.dcr_id, STREAM, [row()])
        with pytest.raises(ResourceNotFoundError, match="dcr-0"):
            client.upload("dcr-0", STREAM, [row()])
        client.upload(secure.behaviour.dcr_id, STREAM, [row()])
    assert [request.status for request in secure.requests] == [429, 401, 404, 204]


def test_certificate(secure: Azure) -> None:
    """TLS works without trusting the authority, or not by address."""
    assert secure.tls is not None
    for host in ("localhost", "127.0.0.1"):
        url = f"https://{host}:{secure.tls.port}/summary"
        assert requests.get(url, verify=str(secure.ca_file), timeout=5).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=5)
    assert secure.ca_file is not None
    assert ssl.create_default_context(cafile=secure.ca_file).get_ca_certs()
    assert "PRIVATE" not in secure.ca_file.read_text()


def test_ipv6(tmp_path: Path) -> None:
    """A pod with IPv6 alone cannot use it."""
    try:
        with Azure([], listen=("::1", 0), listen_tls=("::1", 0)) as azure:
            for door in (azure.plain, azure.tls):
                assert door is not None
                url = f"{door.scheme}://[::1]:{door.port}/summary"
                assert requests.get(url, verify=str(azure.ca_file), timeout=5).status_code == 200
            assert azure.plain.url == f"http://[::1]:{azure.plain.port}"
    except OSError as error:
        if isinstance(error, requests.RequestException):
            raise
        pytest.skip(f"no IPv6 here: {error}")


def test_certificate_where_it_was_asked_for(tmp_path: Path) -> None:
    """A process cannot be told beforehand which file to trust."""
    file = tmp_path / "ca.pem"
    with Azure([], ca_file=file) as azure:
        assert azure.ca_file == file
        assert requests.get(f"{azure.endpoint}/summary", verify=str(file), timeout=5).ok


def test_a_restart_keeps_the_certificate(secure: Azure) -> None:
    """After an outage nobody trusts the server any more."""
    secure.stop()
    secure.start()
    url = f"{secure.endpoint}/summary"
    assert requests.get(url, verify=str(secure.ca_file), timeout=5).status_code == 200


def test_one_port_down(secure: Azure) -> None:
    """An ingestion outage takes the token endpoint along."""
    assert secure.tls is not None
    secure.tls.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{secure.endpoint}/summary", verify=str(secure.ca_file), timeout=5)
    assert requests.get(f"{secure.plain.url}/summary", timeout=5).status_code == 200
    secure.tls.open()
    url = f"{secure.endpoint}/summary"
    assert requests.get(url, verify=str(secure.ca_file), timeout=5).status_code == 200


def test_without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra there is a traceback, or no plain server either."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert not certificates.is_possible()
    with pytest.raises(ConfigError, match=r"sentinelone-source\[azure\]"):
        Azure([])
    with Azure([], listen_tls=None) as azure:
        assert azure.ca_file is None
        assert azure.endpoint == azure.plain.url


def test_a_port_that_is_taken(secure: Azure) -> None:
    """A server that cannot start leaves half of itself behind."""
    assert secure.tls is not None
    second = Azure([], listen_tls=("127.0.0.1", secure.tls.port))
    with pytest.raises(OSError, match="in use"):
        second.start()
    assert second.plain.port
    with pytest.raises(requests.ConnectionError):
        requests.get(second.plain.url, timeout=5)
