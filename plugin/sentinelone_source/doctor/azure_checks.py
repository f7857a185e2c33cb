"""All checks of Azure, in the order in which one thing needs the other."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from sentinelone_source.azure.credential import Credential, Token
from sentinelone_source.azure.ingestion import Ingestion, split_advice
from sentinelone_source.azure.session import Session
from sentinelone_source.azure.workspace import Workspace
from sentinelone_source.config.addresses import is_loopback
from sentinelone_source.config.azure import AzureSettings, azure_settings
from sentinelone_source.config.defaults import AzureTable
from sentinelone_source.config.settings import Settings
from sentinelone_source.doctor.checks import Check, expiry, failed, ok, skipped, warning
from sentinelone_source.doctor.resource_manager import Manager
from sentinelone_source.doctor.rule import rule
from sentinelone_source.errors import ConfigError, SourceError, Throttled
from sentinelone_source.jwt import read_claims
from sentinelone_source.mapping.spec.model import TableSpec
from sentinelone_source.times import SECOND, to_iso


def run_azure_checks(
    settings: Settings, mappings: Sequence[TableSpec], *, send_test: bool, manager: str = ""
) -> Iterator[Check]:
    """Every check of Azure; a check that needs one that failed is skipped.

    `send_test` delivers one marked row; `manager` is the Resource Manager, if not the cloud's.
    """
    bare = msgspec.structs.replace(settings.azure, broker=AzureTable().broker)
    if bare == AzureTable() and not os.environ.get("AZURE_CLIENT_ID"):
        yield skipped("azure", "[azure] is empty", "fill it in to check Azure as well")
        return
    try:
        azure = azure_settings(settings)
        credential, web = Credential(azure), Session()
    except ConfigError as error:
        yield failed("azure", error)
        return
    has_token = yield from _identity(azure, credential)
    usable = credential if has_token else None
    yield from _sending(azure, usable, web, mappings, send_test=send_test)
    if usable:
        yield from rule(azure, Manager(azure.cloud, usable, web, manager), mappings)
    else:
        yield skipped("rule", "not checked: there is no token")
    if azure.workspace_id:
        yield _workspace(azure, usable)


def _identity(azure: AzureSettings, credential: Credential) -> Generator[Check, None, bool]:
    """The certificate, and the token that it gets; returns whether there is a token."""
    if azure.certificate_file is not None:
        yield _certificate(azure.certificate_file)
    name = "Entra token"
    try:
        check = audience(name, azure, credential.token(azure.cloud.scope))
    except SourceError as error:
        advice = "correct [azure]; docs/reference/configuration.md has the keys of each identity"
        check = failed(name, error, advice)
    yield check
    return check.status != "failed"


def _certificate(path: Path) -> Check:
    from cryptography import x509

    name = "certificate"
    try:
        pem = path.read_bytes()
        start = pem.find(b"-----BEGIN CERTIFICATE-----")
        end = x509.load_pem_x509_certificate(pem[start:] if start >= 0 else b"").not_valid_after_utc
    except OSError as error:
        return failed(name, f"{path}: cannot be read: {error.strerror}")
    except ValueError:
        return failed(name, f"{path}: has no readable certificate")
    return expiry(name, end.timestamp(), str(path), "create a new one and register it")


class _AccessClaims(msgspec.Struct):
    aud: str | list[str] = ""
    appid: str = ""
    azp: str = ""
    tid: str = ""


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


def _sending(
    azure: AzureSettings,
    credential: Credential | None,
    web: Session,
    mappings: Sequence[TableSpec],
    *,
    send_test: bool,
) -> Iterator[Check]:
    missing = [key for key in ("endpoint", "dcr_immutable_id") if not getattr(azure, key)]
    if missing:
        yield skipped("streams", f"azure.{' and azure.'.join(missing)}: empty")
        return
    reached = _endpoint(azure, web)
    yield reached
    if credential is None or reached.status == "failed":
        yield skipped("streams", "not checked: an earlier check failed")
        return
    with closing(Ingestion(azure, credential)) as client:
        healthy = True
        for check in _streams(client, mappings):
            healthy &= check.status != "failed"
            yield check
        if send_test:
            yield _test_row(client, mappings, healthy=healthy)


def _endpoint(azure: AzureSettings, web: Session) -> Check:
    """Whether the ingestion endpoint can be reached, and belongs to the cloud."""
    name = "ingestion endpoint"
    try:
        with web.answer(azure.endpoint, "GET", azure.endpoint):
            pass
    except SourceError as error:
        return failed(name, error, "check azure.endpoint, the proxy, and the firewall")
    host = urlsplit(azure.endpoint).hostname or ""
    if not (host.endswith(azure.cloud.ingestion) or is_loopback(host)):
        found = f"{azure.endpoint} answers, but does not end in {azure.cloud.ingestion}"
        return warning(name, found, "check azure.endpoint and azure.cloud")
    return ok(name, f"{azure.endpoint} answers")


def _streams(ingestion: Ingestion, mappings: Sequence[TableSpec]) -> Iterator[Check]:
    """Whether each stream accepts rows: a request without rows shows it."""
    last_advice = ""
    for mapping in mappings:
        name = f"stream {mapping.stream}"
        try:
            ingestion.send(mapping.stream, [])
        except Throttled as error:
            yield warning(name, error, "the rule receives more than Azure allows; try again later")
        except SourceError as error:
            found, advice = split_advice(error)
            if advice and advice == last_advice:
                yield failed(name, f"{found.partition(',')[0]}, as above")
                continue
            last_advice = advice
            yield failed(name, found, advice)
        else:
            yield ok(name, "accepts rows")


def _test_row(ingestion: Ingestion, mappings: Sequence[TableSpec], *, healthy: bool) -> Check:
    """Deliver one marked row, to the first table that has a text column for the mark."""
    name = "test row"
    if not healthy:
        return skipped(name, "not sent: an earlier check failed")
    marks = ((mapping, _text_column(mapping)) for mapping in mappings)
    mapping, column = next((pair for pair in marks if pair[1]), (None, ""))
    if mapping is None:
        return skipped(name, "no table has a text column for the mark")
    mark = f"sentinelone-source doctor {uuid.uuid4()}"
    row = {"TimeGenerated": to_iso(round(time.time() * SECOND)), column: mark}
    try:
        ingestion.send(mapping.stream, [msgspec.json.encode(row)])
    except SourceError as error:
        return failed(name, *split_advice(error))
    query = f'{mapping.table} | where {column} == "{mark}"'
    return ok(name, f"Azure accepted it. Within 15 minutes this query finds it: {query}")


def _text_column(mapping: TableSpec) -> str:
    """A text column that a mark does no harm in; empty if there is none."""
    texts = [column.name for column in mapping.columns if column.type == "string"]
    likely = [name for name in texts if name.endswith("Description")]
    return next(iter([*likely, *texts]), "")


def _workspace(azure: AzureSettings, credential: Credential | None) -> Check:
    """Whether the workspace can be queried, as `verify --workspace` does."""
    name = "workspace"
    if credential is None:
        return skipped(name, "not checked: there is no token")
    try:
        with closing(Workspace(azure, credential)) as workspace:
            workspace.ask("print 1")
    except SourceError as error:
        return failed(name, error)
    return ok(name, f"{azure.workspace_id} can be queried")
