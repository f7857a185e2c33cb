"""Which way requests to Azure go, and whose certificates they trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinelone_source.azure.credential import Credential
from sentinelone_source.azure.ingestion import Ingestion
from sentinelone_source.errors import ConfigError, Unavailable
from sentinelone_source.http.client import proxies_for
from support.cloud import AzureTenancy

STREAM = "Custom-SentinelOneThreats_CL"


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("https://login.microsoftonline.com/x", True),
        ("https://acme.westeurope-1.ingest.monitor.azure.com", True),
        ("https://inside.example/x", False),
        ("http://169.254.169.254/metadata/identity/oauth2/token", False),
        ("http://127.0.0.1:41741/msi/token", False),
        ("http://localhost:40342/metadata", False),
    ],
)
def test_proxies(monkeypatch: pytest.MonkeyPatch, url: str, proxied: bool) -> None:
    """The environment's proxy is used for Azure, and not for managed identities or `NO_PROXY`."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    assert bool(proxies_for(url).get("https")) is proxied


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_of_the_environment(
    cloud: AzureTenancy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Certificates that the environment names are trusted."""
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv(variable, str(cloud.azure.ca_file))
    settings = cloud.settings()
    assert Ingestion(settings, Credential(settings)).send(STREAM, [])


def test_certificates_that_are_not_there(
    cloud: AzureTenancy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle of certificates that is missing is an error that names it."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE: /nowhere\.pem: no such file"):
        Credential(cloud.settings())


def test_endpoint_with_a_foreign_certificate(
    cloud: AzureTenancy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to an endpoint whose certificate is not trusted."""
    settings = cloud.settings()
    credential = Credential(settings)
    credential.token(settings.cloud.scope)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unavailable, match="TLS: "):
        Ingestion(settings, credential).send(STREAM, [b"{}"])
    assert not cloud.azure.requests


def test_netrc_is_ignored(
    cloud: AzureTenancy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password in `.netrc` does not take the token's place."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    settings = cloud.settings()
    assert Ingestion(settings, Credential(settings)).send(STREAM, [])
