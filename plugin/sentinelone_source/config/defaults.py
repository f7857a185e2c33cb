"""The tables and keys of config.toml, with their defaults; `toml` checks a `File` against them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Duration = Annotated[str, msgspec.Meta(title="duration")]


class StateTable(msgspec.Struct, frozen=True):
    path: str = "/var/lib/sentinelone-source"


class ConsoleTable(msgspec.Struct, frozen=True):
    """One `[[consoles]]`."""

    name: str
    url: str
    token_file: str = ""
    token_env: str = ""
    site_ids: tuple[str, ...] = ()
    account_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    proxy: str = ""
    ca_file: str = ""


class RequestsTable(msgspec.Struct, frozen=True):
    concurrency: Annotated[int, msgspec.Meta(ge=1)] = 32


class FeedTable(msgspec.Struct, frozen=True):
    """`[feeds]`, or one `[feeds.NAME]` over it; `FeedSettings` has the durations read."""

    enabled: bool = True
    interval: Duration = "60s"
    start: str = "24h"
    lookback: Duration = ""
    remember: Duration = "24h"
    rescan: Duration = "7d"
    rescan_interval: Duration = "15m"
    heartbeat: Duration = "0s"


class HandoverTable(msgspec.Struct, frozen=True):
    """`[handover]`."""

    to: str = "stdout"
    settle: Duration = "30s"
    tag: str = "sentinelone.{mapping}"
    token_file: str = ""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""


class MappingsTable(msgspec.Struct, frozen=True):
    path: str = ""
    columns: dict[str, Any] = {}


class HealthTable(msgspec.Struct, frozen=True):
    interval: Duration = "0s"


class TelemetryTable(msgspec.Struct, frozen=True):
    listen: str = ""


CloudName = Literal["public", "usgovernment", "china"]


class BrokerTable(msgspec.Struct, frozen=True):
    """`[azure.broker]`."""

    listen: str = "127.0.0.1:8688"
    secret_file: str = ""


class AzureTable(msgspec.Struct, frozen=True):
    tenant_id: str = ""
    client_id: str = ""
    client_secret_file: str = ""
    certificate_file: str = ""
    endpoint: str = ""
    dcr_immutable_id: str = ""
    dcr_resource_id: str = ""
    workspace_id: str = ""
    cloud: CloudName = "public"
    broker: BrokerTable = BrokerTable()


class File(msgspec.Struct, frozen=True):
    state: StateTable = StateTable()
    consoles: tuple[ConsoleTable, ...] = ()
    requests: RequestsTable = RequestsTable()
    feeds: dict[str, Any] = {}
    handover: HandoverTable = HandoverTable()
    mappings: MappingsTable = MappingsTable()
    telemetry: TelemetryTable = TelemetryTable()
    health: HealthTable = HealthTable()
    azure: AzureTable = AzureTable()
