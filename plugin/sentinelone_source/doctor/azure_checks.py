"""All checks of Azure, in the order in which one thing needs the other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sentinelone_source.azure.credential import Credential
from sentinelone_source.azure.session import Session
from sentinelone_source.azure.workspace import Workspace
from sentinelone_source.config import AzureTable
from sentinelone_source.config.azure import azure_settings
from sentinelone_source.doctor import entra, ingestion
from sentinelone_source.doctor.checks import failed, ok, skipped
from sentinelone_source.doctor.manager import Manager
from sentinelone_source.doctor.rule import rule
from sentinelone_source.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sentinelone_source.config import Settings
    from sentinelone_source.config.azure import AzureSettings
    from sentinelone_source.doctor.checks import Check
    from sentinelone_source.mapping.spec.model import TableSpec


def run_azure_checks(
    settings: Settings, mappings: Sequence[TableSpec], *, send_test: bool, manager: str = ""
) -> Iterator[Check]:
    """Every check of Azure; a check that needs one that failed is skipped.

    Args:
        settings: the configuration.
        mappings: the tables.
        send_test: deliver one marked row.
        manager: the address of the Resource Manager, if not the cloud's.
    """
    bare = msgspec.structs.replace(settings.azure, broker=AzureTable().broker)
    if bare == AzureTable() and not os.environ.get("AZURE_CLIENT_ID"):
        yield skipped("azure", "[azure] is empty", "fill it in to check Azure as well")
        return
    try:
        azure = azure_settings(settings)
        context = AzureContext(azure, Credential(azure), Session())
    except ConfigError as error:
        yield failed("azure", error)
        return
    for check in entra.identity(azure, context.credential):
        context.has_token = check.status != "failed"
        yield check
    yield from _sending(context, mappings, send_test=send_test)
    if context.has_token:
        yield from rule(
            azure, Manager(azure.cloud, context.credential, context.web, manager), mappings
        )
    else:
        yield skipped("rule", "not checked: there is no token")
    if azure.workspace_id:
        yield _workspace(context)


@dataclass
class AzureContext:
    """What every check of Azure needs."""

    azure: AzureSettings
    credential: Credential
    web: Session
    has_token: bool = True


def _workspace(context: AzureContext) -> Check:
    """Whether the workspace can be queried, as `verify --workspace` does."""
    name = "workspace"
    if not context.has_token:
        return skipped(name, "not checked: there is no token")
    try:
        workspace = Workspace(context.azure, context.credential)
        workspace.ask("print 1")
        workspace.close()
    except SourceError as error:
        return failed(name, error)
    return ok(name, f"{context.azure.workspace_id} can be queried")


def _sending(
    context: AzureContext, mappings: Sequence[TableSpec], *, send_test: bool
) -> Iterator[Check]:
    azure = context.azure
    missing = [key for key in ("endpoint", "dcr_immutable_id") if not getattr(azure, key)]
    if missing:
        yield skipped("streams", f"azure.{' and azure.'.join(missing)}: empty")
        return
    reached = ingestion.endpoint(azure, context.web)
    yield reached
    if not context.has_token or reached.status == "failed":
        yield skipped("streams", "not checked: an earlier check failed")
        return
    from sentinelone_source.azure.ingestion import Ingestion

    client = Ingestion(azure, context.credential)
    healthy = True
    for check in ingestion.streams(client, mappings):
        healthy &= check.status != "failed"
        yield check
    if send_test:
        yield ingestion.send_test(client, mappings, healthy=healthy)
    client.close()
