"""Tokens by every identity, with files that change, and errors that say what to do."""

from __future__ import annotations

import subprocess
import sys
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest

from doubles.azure_faults import hang, refuse, reset
from sentinelone_source.azure.credential import Credential
from sentinelone_source.config.azure import CLOUDS, Identity
from sentinelone_source.config.defaults import CloudName
from sentinelone_source.errors import ConfigError, Unavailable
from sentinelone_source.timings import Timings
from support.cloud import SECRET, AzureTenancy, certificate
from support.processes import surroundings

SCOPE = "https://monitor.azure.com/.default"


def assertion(number: int) -> str:
    """Shaped like the token of a service account."""
    claims = {"sub": f"account-{number}", "iss": "https://cluster", "exp": 2_000_000_000}
    parts = ({"alg": "RS256"}, claims, number)
    return ".".join(urlsafe_b64encode(msgspec.json.encode(p)).decode().rstrip("=") for p in parts)


def test_client_secret(cloud: AzureTenancy) -> None:
    """A client secret gives one token, which is kept in memory and never shown."""
    credential = Credential(cloud.settings())
    first = credential.get_token(SCOPE)
    assert credential.get_token(SCOPE).token == first.token
    assert credential.token(SCOPE).value == first.token
    assert len(cloud.azure.token_requests) == 1
    assert first.token not in repr(credential) + repr(credential.token(SCOPE))


def test_nothing_is_asked_before_it_is_needed(cloud: AzureTenancy) -> None:
    """A credential sends no request before the first token is needed."""
    cloud.azure.stop()
    Credential(cloud.settings())


def test_forced_refresh(cloud: AzureTenancy) -> None:
    """A forced refresh gives a new token, which is kept from then on."""
    credential = Credential(cloud.settings())
    first = credential.token(SCOPE).value
    second = credential.token(SCOPE, fresh=True).value
    assert second != first
    assert credential.token(SCOPE).value == second
    claims = msgspec.json.encode({"access_token": {"nbf": {"essential": True}}}).decode()
    assert credential.get_token(SCOPE, claims=claims).token != second


def test_secret_file_that_changes(cloud: AzureTenancy) -> None:
    """A rotated client secret needs no restart."""
    credential = Credential(cloud.settings())
    secret = cloud.folder / "secret"
    secret.write_text("the old one")
    with pytest.raises(ConfigError, match=r"AADSTS7000215.*the client secret is wrong"):
        credential.token(SCOPE)
    secret.write_text(SECRET)
    assert credential.token(SCOPE).value


def test_secret_of_the_environment(cloud: AzureTenancy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of Azure's libraries give tenant, client and secret."""
    for key in ("tenant_id", "client_id"):
        monkeypatch.setenv(f"AZURE_{key.upper()}", getattr(cloud.azure.behaviour, key))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
    cloud.configure(tenant_id=None, client_id=None, client_secret_file=None)
    settings = cloud.settings()
    assert SECRET not in repr(settings)
    assert Credential(settings).token(SCOPE).value


def test_certificate(cloud: AzureTenancy) -> None:
    """A certificate with its key gives a token."""
    certificate(cloud.folder / "app.pem")
    cloud.configure(client_secret_file=None, certificate_file="app.pem")
    assert Credential(cloud.settings()).token(SCOPE).value


@pytest.mark.parametrize(
    ("key", "own", "said"), [(True, False, "certificate"), (False, True, "private key")]
)
def test_certificate_that_lacks_something(
    cloud: AzureTenancy, key: bool, own: bool, said: str
) -> None:
    """A PEM file without key or certificate is an error that says so."""
    certificate(cloud.folder / "app.pem", key=key, own=own)
    cloud.configure(client_secret_file=None, certificate_file="app.pem")
    with pytest.raises(ConfigError, match=f"app.pem: holds no {said}"):
        Credential(cloud.settings()).token(SCOPE)


def test_workload_identity(cloud: AzureTenancy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workload identity reads the cluster's token again for each new token."""
    file = cloud.folder / "federated"
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(file))
    cloud.configure(client_secret_file=None)
    settings = cloud.settings()
    assert settings.identity is Identity.WORKLOAD
    credential = Credential(settings)
    with pytest.raises(ConfigError, match=r"federated token .*federated: cannot be read"):
        credential.token(SCOPE)
    for number in (1, 2):
        file.write_text(assertion(number))
        cloud.azure.behaviour.assertions = frozenset([assertion(number)])
        assert credential.token(SCOPE, fresh=number == 2).value
    cloud.azure.behaviour.assertions = frozenset([assertion(3)])
    with pytest.raises(ConfigError, match="no federated credential of the application fits"):
        credential.token(SCOPE, fresh=True)


@pytest.mark.parametrize("platform", ["App Service", "virtual machine"])
@pytest.mark.parametrize("assigned", ["system", "user"])
def test_managed_identity(
    cloud: AzureTenancy, monkeypatch: pytest.MonkeyPatch, platform: str, assigned: str
) -> None:
    """A managed identity of either platform gives a token without a secret."""
    if platform == "App Service":
        monkeypatch.setenv("IDENTITY_ENDPOINT", cloud.azure.identity_endpoint)
        monkeypatch.setenv("IDENTITY_HEADER", cloud.azure.behaviour.identity_header)
    else:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", cloud.azure.plain.url)
    ours = cloud.azure.behaviour.client_id if assigned == "user" else None
    cloud.configure(client_secret_file=None, tenant_id=None, client_id=ours)
    credential = Credential(cloud.settings())
    assert credential.token(SCOPE).value == credential.token(SCOPE).value
    if assigned == "user":
        cloud.configure(client_secret_file=None, tenant_id=None, client_id="another")
        with pytest.raises(ConfigError, match=r"managed identity: .* such an identity"):
            Credential(cloud.settings()).token(SCOPE)


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds(cloud: AzureTenancy, name: CloudName, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cloud has its own authority and audience, and an authority names its cloud."""
    cloud.configure(cloud=name)
    settings = cloud.settings()
    Credential(settings).token(settings.cloud.scope)
    monkeypatch.delenv("AZURE_AUTHORITY_HOST")
    assert cloud.settings().authority == CLOUDS[name].authority
    cloud.configure()
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", CLOUDS[name].authority + "/")
    assert cloud.settings().cloud == CLOUDS[name]


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"tenant_id": "other"}, "does not know tenant_id 'other'"),
        ({"client_id": "other"}, "AADSTS700016: .*: client_id is not known in this tenant"),
    ],
)
def test_wrong_identity(cloud: AzureTenancy, over: dict[str, str], said: str) -> None:
    """A mistyped id is an error that names the key."""
    cloud.configure(**over)
    with pytest.raises(ConfigError, match=said):
        Credential(cloud.settings()).token(SCOPE)


@pytest.mark.parametrize("where", ["discovery", "token"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_trouble(cloud: AzureTenancy, where: str, status: int) -> None:
    """A failure of Entra ID that may pass is retriable, and the next request succeeds."""
    cloud.azure.faults.add(refuse(where, status))
    with pytest.raises(Unavailable, match="Entra ID"):
        Credential(cloud.settings()).token(SCOPE)
    assert Credential(cloud.settings()).token(SCOPE).value


@pytest.mark.parametrize("where", ["discovery", "token"])
def test_no_answer(cloud: AzureTenancy, where: str) -> None:
    """A hanging or broken connection to Entra ID ends, as a retriable error."""
    timings = Timings(azure_connect=0.5, azure_answer=0.5)
    cloud.azure.faults.add(reset(where), hang(where, 5))
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"no connection|no answer"):
            Credential(cloud.settings(), timings).token(SCOPE)


def test_foreign_certificate(cloud: AzureTenancy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is sent only to a server with a trusted certificate."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unavailable, match="TLS: "):
        Credential(cloud.settings()).token(SCOPE)
    assert not cloud.azure.token_requests


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"tenant_id": None, "client_id": None}, r"tenant_id \(or AZURE_TENANT_ID\), client_id"),
        ({"certificate_file": "x"}, "either client_secret_file or certificate_file"),
        ({"client_secret_file": "nowhere"}, "client secret .*nowhere: cannot be read"),
        ({"endpoint": "http://dce.example"}, "plain http is for loopback"),
        ({"endpoint": "ftp://x"}, "azure.endpoint: 'ftp://x' is not a URL"),
        ({"dcr_immutable_id": "/subscriptions/x"}, "takes the rule's immutable id"),
        ({"dcr_resource_id": "dcr-1"}, "azure.dcr_resource_id: 'dcr-1' is not the resource id"),
        ({"cloud": "moon"}, "azure.cloud"),
    ],
)
def test_mistakes(cloud: AzureTenancy, over: dict[str, Any], said: str) -> None:
    """A wrong key of `[azure]` is an error that names the key."""
    cloud.configure(**over)
    with pytest.raises(ConfigError, match=said):
        Credential(cloud.settings()).token(SCOPE)


def test_without_the_extra(cloud: AzureTenancy) -> None:
    """Without the extra, the error says how to install it."""
    (cloud.folder / "msal.py").write_text("raise ImportError(name='msal')")
    (cloud.folder / "rows.ndjson").write_text("")
    program = "from sentinelone_source.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "replay", "rows.ndjson"],
        cwd=cloud.folder,
        env=surroundings({"PYTHONPATH": str(cloud.folder)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "msal is not installed; install this program with its extra" in done.stderr
