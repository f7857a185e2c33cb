"""`[azure]` and the variables of Azure's libraries, for the commands that use Azure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping as Dict
from enum import Enum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sentinelone_source.config.addresses import (
    Address,
    is_loopback,
    read_address,
    read_url,
    refuse_placeholder,
)
from sentinelone_source.config.defaults import AzureTable, CloudName
from sentinelone_source.config.settings import Settings
from sentinelone_source.errors import ConfigError


class Cloud(NamedTuple):
    """One of Azure's clouds.

    Attributes:
        name: in the configuration.
        authority: the URL of Entra ID.
        resource: the audience of a token for ingestion.
        manager: the URL of the Resource Manager.
        ingestion: the end of every host name of an ingestion endpoint.
        query: the URL of the Log Analytics query API, and the audience of a token for it.
    """

    name: CloudName
    authority: str
    resource: str
    manager: str
    ingestion: str
    query: str

    @property
    def scope(self) -> str:
        """The scope of a token for ingestion."""
        return f"{self.resource}/.default"


CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud(
            "public",
            "https://login.microsoftonline.com",
            "https://monitor.azure.com",
            "https://management.azure.com",
            ".ingest.monitor.azure.com",
            "https://api.loganalytics.io",
        ),
        Cloud(
            "usgovernment",
            "https://login.microsoftonline.us",
            "https://monitor.azure.us",
            "https://management.usgovcloudapi.net",
            ".ingest.monitor.azure.us",
            "https://api.loganalytics.us",
        ),
        Cloud(
            "china",
            "https://login.partner.microsoftonline.cn",
            "https://monitor.azure.cn",
            "https://management.chinacloudapi.cn",
            ".ingest.monitor.azure.cn",
            "https://api.loganalytics.azure.cn",
        ),
    )
}
_AUTHORITY = "https://login.microsoftonline.com"
_ENDPOINT = "https://NAME.REGION.ingest.monitor.azure.com"
_NAMED = {
    "tenant_id": "tenant_id (or AZURE_TENANT_ID)",
    "client_id": "client_id (or AZURE_CLIENT_ID)",
}
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Identity(Enum):
    """How this program identifies itself to Azure."""

    SECRET = "client secret"  # noqa: S105 - a name, not a secret
    CERTIFICATE = "certificate"
    WORKLOAD = "workload identity"
    MANAGED = "managed identity"


class AzureSettings(NamedTuple):
    """`[azure]` and the environment. Holds no secret, only where each is.

    Attributes:
        source: the configuration file, for errors.
        authority: the URL of Entra ID, without the tenant.
        secret_file: holds the client secret; None if the variable `AZURE_CLIENT_SECRET` does.
        token_file: holds the federated token of a workload identity.
    """

    source: str
    identity: Identity
    cloud: Cloud
    authority: str
    broker: Address
    tenant_id: str = ""
    client_id: str = ""
    secret_file: Path | None = None
    certificate_file: Path | None = None
    token_file: Path | None = None
    endpoint: str = ""
    dcr_immutable_id: str = ""
    dcr_resource_id: str = ""
    workspace_id: str = ""
    broker_secret_file: Path | None = None

    @property
    def query_url(self) -> str:
        """The URL of the query API; an ingestion endpoint on loopback (`demo dce`) serves both."""
        is_demo = is_loopback(urlsplit(self.endpoint).hostname or "")
        return self.endpoint if is_demo else self.cloud.query

    def need(self, *keys: str) -> None:
        """Raise ConfigError naming all of these keys, and the identity's, that are empty."""
        if self.identity is not Identity.MANAGED:
            keys = ("tenant_id", "client_id", *keys)
        missing = [_NAMED.get(key, key) for key in keys if not getattr(self, key)]
        if missing:
            raise ConfigError(f"{self.source}: azure: missing {', '.join(missing)}")


def azure_settings(settings: Settings, environ: Dict[str, str] = os.environ) -> AzureSettings:
    """The settings of the commands that use Azure; the environment fills what is left empty."""
    azure, where = settings.azure, settings.source
    here = Path(where).parent if where != "environment" else Path()
    if azure.client_secret_file and azure.certificate_file:
        raise ConfigError(f"{where}: azure: give either client_secret_file or certificate_file")
    authority = _url(environ.get("AZURE_AUTHORITY_HOST", ""), "AZURE_AUTHORITY_HOST", _AUTHORITY)
    if authority.startswith("http:"):
        raise ConfigError(f"AZURE_AUTHORITY_HOST: {authority!r} must be an https URL")
    cloud = _cloud(azure.cloud, authority)
    _check_ids(azure, where)
    token_file = environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
    return AzureSettings(
        source=where,
        identity=_identity(azure, environ),
        cloud=cloud,
        authority=authority or cloud.authority,
        tenant_id=azure.tenant_id or environ.get("AZURE_TENANT_ID", ""),
        client_id=azure.client_id or environ.get("AZURE_CLIENT_ID", ""),
        secret_file=_path(here, azure.client_secret_file),
        certificate_file=_path(here, azure.certificate_file),
        token_file=Path(token_file) if token_file else None,
        endpoint=_url(azure.endpoint, f"{where}: azure.endpoint", _ENDPOINT),
        dcr_immutable_id=azure.dcr_immutable_id,
        dcr_resource_id=azure.dcr_resource_id.rstrip("/"),
        workspace_id=azure.workspace_id,
        broker=_listen(azure.broker.listen, f"{where}: azure.broker.listen"),
        broker_secret_file=_path(here, azure.broker.secret_file),
    )


def _identity(azure: AzureTable, environ: Dict[str, str]) -> Identity:
    if azure.certificate_file:
        return Identity.CERTIFICATE
    if azure.client_secret_file or environ.get("AZURE_CLIENT_SECRET"):
        return Identity.SECRET
    if environ.get("AZURE_FEDERATED_TOKEN_FILE"):
        return Identity.WORKLOAD
    return Identity.MANAGED


def _check_ids(azure: AzureTable, where: str) -> None:
    if azure.dcr_immutable_id.startswith("/"):
        raise ConfigError(
            f"{where}: azure.dcr_immutable_id: takes the rule's immutable id, such as "
            "dcr-0123..., not its resource id, which is azure.dcr_resource_id"
        )
    if azure.workspace_id and not _GUID.fullmatch(azure.workspace_id):
        raise ConfigError(
            f"{where}: azure.workspace_id: {azure.workspace_id!r} is not the workspace's customer "
            "id, a GUID, which the portal shows as Workspace ID"
        )
    wanted = "/providers/microsoft.insights/datacollectionrules/"
    if azure.dcr_resource_id and wanted not in azure.dcr_resource_id.lower():
        raise ConfigError(
            f"{where}: azure.dcr_resource_id: {azure.dcr_resource_id!r} is not the resource id of "
            "a data collection rule, such as /subscriptions/.../providers/Microsoft.Insights/"
            "dataCollectionRules/NAME"
        )


def _path(here: Path, text: str) -> Path | None:
    return here / text if text else None


def _url(text: str, where: str, example: str) -> str:
    """A URL in one form, and no example's; a host name is enough, as for Azure's libraries."""
    url = read_url(text, where, example) if text else ""
    refuse_placeholder(url, where)
    return url


def _cloud(named: CloudName, authority: str) -> Cloud:
    """The cloud that is named; for the default, the cloud of the authority."""
    found = (cloud for cloud in CLOUDS.values() if cloud.authority == authority)
    return next(found, CLOUDS[named]) if named == "public" else CLOUDS[named]


def _listen(text: str, where: str) -> Address:
    address = read_address(text, where)
    if address is None:
        raise ConfigError(
            f"{where}: is empty; it takes an address and a port, such as 127.0.0.1:8688"
        )
    if not is_loopback(address.host):
        raise ConfigError(
            f"{where}: {address.host} is not a loopback address; the broker gives tokens to this "
            "machine only"
        )
    return address
