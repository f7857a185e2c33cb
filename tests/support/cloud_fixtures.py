"""Fixtures: Azure on loopback over TLS, and an environment that names no other identity."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from doubles.azure import Azure
from support.cloud import SECRET, AzureTenancy

PREFIXES = ("AZURE_", "IDENTITY_", "MSI_", "IMDS_", "SSL_CERT", "REQUESTS_CA")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own identity, certificates and proxies."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIXES) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureTenancy]:
    """A loopback Azure that knows one application; this process trusts it, too."""
    with Azure(client_secret=SECRET, keep_times=True) as azure:
        cloud = AzureTenancy(tmp_path, azure)
        for name, value in cloud.environ.items():
            monkeypatch.setenv(name, value)
        yield cloud
