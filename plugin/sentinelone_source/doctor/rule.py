"""Checks of what is deployed: the rule, its streams and flows, and the tables behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sentinelone_source.doctor.checks import failed, ok, skipped, warning
from sentinelone_source.doctor.drift import compare
from sentinelone_source.doctor.manager import Manager, Missing, NotAllowed
from sentinelone_source.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sentinelone_source.config.azure import AzureSettings
    from sentinelone_source.doctor.checks import Check
    from sentinelone_source.doctor.drift import Drift
    from sentinelone_source.mapping.spec.model import TableSpec

_RULE, _TABLE, _LOG = "2023-03-11", "2022-10-01", "2021-05-01-preview"
_DEPLOY = "deploy the template again: sentinelone-source template"


class _RuleColumn(msgspec.Struct):
    name: str
    type: str


class _Declaration(msgspec.Struct):
    columns: list[_RuleColumn] = []


class _Flow(msgspec.Struct, rename="camel"):
    streams: list[str] = []
    destinations: list[str] = []
    transform_kql: str | None = None
    output_stream: str | None = None


class _Workspace(msgspec.Struct, rename="camel"):
    name: str = ""
    workspace_resource_id: str = ""


class _Destinations(msgspec.Struct, rename="camel"):
    log_analytics: list[_Workspace] = []


class _Endpoints(msgspec.Struct, rename="camel"):
    logs_ingestion: str | None = None


class _Properties(msgspec.Struct, rename="camel"):
    immutable_id: str = ""
    stream_declarations: dict[str, _Declaration] = {}
    data_flows: list[_Flow] = []
    destinations: _Destinations = msgspec.field(default_factory=_Destinations)
    endpoints: _Endpoints | None = None


class _Rule(msgspec.Struct):
    properties: _Properties


class _Schema(msgspec.Struct, rename="camel"):
    columns: list[_RuleColumn] = []
    standard_columns: list[
        _RuleColumn
    ] = []  # those that Azure adds; TimeGenerated may be among them


class _TableProperties(msgspec.Struct):
    schema: _Schema
    plan: str = ""


class _Table(msgspec.Struct):
    properties: _TableProperties


class _Settings(msgspec.Struct):
    value: list[msgspec.Raw] = []


def rule(azure: AzureSettings, manager: Manager, mappings: Iterable[TableSpec]) -> Iterator[Check]:
    """The rule of `azure.dcr_resource_id`, against the configuration and the mappings."""
    name = "rule"
    if not azure.dcr_resource_id:
        yield skipped(
            name, "azure.dcr_resource_id is empty", "set it to compare mappings, rule and tables"
        )
        return
    try:
        found = manager.get(azure.dcr_resource_id, _RULE, _Rule).properties
    except NotAllowed as error:
        yield skipped(name, error, "grant this identity the role Reader on the rule")
        return
    except Missing as error:
        yield failed(name, error, "check azure.dcr_resource_id")
        return
    except SourceError as error:
        yield skipped(name, error)
        return
    yield _identity(name, azure, found)
    for mapping in mappings:
        yield _stream(mapping, found)
        yield _table(mapping, found, manager)
    yield _error_log(azure, manager)


def _identity(name: str, azure: AzureSettings, found: _Properties) -> Check:
    if azure.dcr_immutable_id and found.immutable_id != azure.dcr_immutable_id:
        said = f"its immutable id is {found.immutable_id}, not {azure.dcr_immutable_id}"
        return failed(name, said, "correct azure.dcr_immutable_id or azure.dcr_resource_id")
    own = (found.endpoints and found.endpoints.logs_ingestion) or ""
    if own and azure.endpoint and own.rstrip("/").lower() != azure.endpoint.lower():
        said = f"the rule's own endpoint is {own}, not azure.endpoint"
        return warning(
            name, said, "correct if azure.endpoint is a Data Collection Endpoint of your own"
        )
    return ok(name, f"{found.immutable_id}, {len(found.stream_declarations)} streams")


def _stream(mapping: TableSpec, found: _Properties) -> Check:
    name = f"declaration {mapping.stream}"
    declaration = found.stream_declarations.get(mapping.stream)
    if declaration is None:
        return failed(name, "the rule has no such stream", _DEPLOY)
    flow = _flow(mapping, found)
    if flow is None:
        return failed(name, "the rule has no data flow for it", _DEPLOY)
    if flow.output_stream not in (None, f"Custom-{mapping.table}"):
        return warning(name, f"its rows go to {flow.output_stream}, not to {mapping.table}")
    drift = compare(mapping, {one.name: one.type for one in declaration.columns})
    check = _drifted(name, drift, len(declaration.columns))
    transform = (flow.transform_kql or "source").strip()
    if check.status == "ok" and transform != "source":
        return warning(
            name, "the rule transforms its rows", "the template deploys the transformation 'source'"
        )
    return check


def _table(mapping: TableSpec, found: _Properties, manager: Manager) -> Check:
    name = f"table {mapping.table}"
    flow = _flow(mapping, found)
    workspaces = {one.name: one.workspace_resource_id for one in found.destinations.log_analytics}
    workspace = (
        next((workspaces[one] for one in flow.destinations if one in workspaces), "")
        if flow
        else ""
    )
    if not workspace:
        return skipped(name, "the rule does not name its workspace")
    try:
        table = manager.get(f"{workspace}/tables/{mapping.table}", _TABLE, _Table).properties
    except Missing:
        return failed(name, "the workspace has no such table", _DEPLOY)
    except NotAllowed as error:
        return skipped(name, error, "grant this identity the role Reader on the workspace")
    except SourceError as error:
        return skipped(name, error)
    own = {one.name: one.type for one in table.schema.columns}
    standard = {one.name: one.type for one in table.schema.standard_columns}
    drift = compare(mapping, standard | own)
    drift = drift._replace(extra=[column for column in drift.extra if column not in standard])
    check = _drifted(name, drift, len(own))
    if check.status == "ok" and table.plan not in ("", "Analytics"):
        advice = "Microsoft Sentinel's analytic rules need the plan Analytics"
        return warning(name, f"its plan is {table.plan}", advice)
    return check


def _flow(mapping: TableSpec, found: _Properties) -> _Flow | None:
    return next((flow for flow in found.data_flows if mapping.stream in flow.streams), None)


def _drifted(name: str, drift: Drift, number: int) -> Check:
    if drift.is_loss:
        return failed(name, str(drift), _DEPLOY)
    more = f"; {drift}" if drift.extra else ""
    return ok(name, f"{number} columns, none missing{more}")


def _error_log(azure: AzureSettings, manager: Manager) -> Check:
    """Whether Azure logs the rows that it drops after its 204."""
    name = "error log"
    path = f"{azure.dcr_resource_id}/providers/Microsoft.Insights/diagnosticSettings"
    try:
        settings = manager.get(path, _LOG, _Settings).value
    except SourceError as error:
        return skipped(name, error)
    if not settings:
        return warning(name, "the rule has no diagnostic setting: losses are not logged", _DEPLOY)
    return ok(name, "the rule has a diagnostic setting, for DCRLogErrors")
