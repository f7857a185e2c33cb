"""Checks of the Azure identity."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sentinelone_source.doctor.checks import expiry, failed, ok, warning
from sentinelone_source.errors import SourceError
from sentinelone_source.jwt import read_claims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentinelone_source.azure.credential import Credential, Token
    from sentinelone_source.config.azure import AzureSettings
    from sentinelone_source.doctor.checks import Check


class _AccessClaims(msgspec.Struct):
    aud: str | list[str] = ""
    appid: str = ""
    azp: str = ""
    tid: str = ""


def identity(azure: AzureSettings, credential: Credential) -> Iterator[Check]:
    """The token of Entra ID, its audience, and the certificate that gets it."""
    if azure.certificate_file is not None:
        yield certificate(azure.certificate_file)
    name = "Entra token"
    try:
        token = credential.token(azure.cloud.scope)
    except SourceError as error:
        yield failed(
            name,
            error,
            "correct [azure]; docs/reference/configuration.md has the keys of each identity",
        )
        return
    yield audience(name, azure, token)


def audience(name: str, azure: AzureSettings, token: Token) -> Check:
    """Whether a token is valid for this cloud's ingestion."""
    minutes = (token.expires_on - time.time()) / 60
    known = f"by {azure.identity.value}, valid for {minutes:.0f} minutes"
    claims = read_claims(token.value, _AccessClaims)
    if claims is None:
        return ok(name, f"{known}; its claims cannot be read")
    wanted = azure.cloud.resource
    found = claims.aud if isinstance(claims.aud, str) else ", ".join(claims.aud)
    who = claims.appid or claims.azp
    if found.startswith("https://") and found.rstrip("/") != wanted:
        return failed(name, f"{known}, but for {found} and not for {wanted}", "check azure.cloud")
    if azure.tenant_id and claims.tid and "." not in azure.tenant_id:
        other = claims.tid.lower() != azure.tenant_id.lower()
        if other:
            return warning(name, f"{known}, of tenant {claims.tid} and not {azure.tenant_id}")
    return ok(name, f"{known}, for {found}" + (f", as application {who}" if who else ""))


def certificate(path: Path) -> Check:
    """When the certificate expires."""
    from cryptography import x509

    name = "certificate"
    try:
        end = x509.load_pem_x509_certificate(_first(path.read_bytes())).not_valid_after_utc
    except OSError as error:
        return failed(name, f"{path}: cannot be read: {error.strerror}")
    except ValueError:
        return failed(name, f"{path}: has no readable certificate")
    return expiry(name, end.timestamp(), str(path), "create a new one and register it")


def _first(pem: bytes) -> bytes:
    start = pem.find(b"-----BEGIN CERTIFICATE-----")
    return pem[start:] if start >= 0 else b""
