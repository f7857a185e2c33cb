"""Checks of what is deployed: the rule, its streams and flows, and the tables behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Dict
from typing import NamedTuple

from sentinelone_source.config.azure import AzureSettings
from sentinelone_source.doctor.checks import Check, failed, ok, skipped, warning
from sentinelone_source.doctor.resource_manager import (
    DeployedRule,
    DeployedTable,
    DiagnosticSettings,
    Flow,
    Manager,
    Missing,
    NotAllowed,
    RuleProperties,
)
from sentinelone_source.errors import SourceError
from sentinelone_source.mapping.rows.types import TYPES
from sentinelone_source.mapping.spec.model import TableSpec

_RULE, _TABLE, _LOG = "2023-03-11", "2022-10-01", "2021-05-01-preview"
_DEPLOY = "deploy the template again: sentinelone-source template"
_SHOWN = 8


class Drift(NamedTuple):
    """How two lists of columns differ.

    Attributes:
        missing: columns of the mapping that the other side does not have: their values are lost.
        retyped: columns of another type, as `Name (string, not int)`.
        extra: columns not filled by any row.
    """

    missing: list[str]
    retyped: list[str]
    extra: list[str]

    @property
    def is_loss(self) -> bool:
        """Whether rows lose something."""
        return bool(self.missing or self.retyped)

    def __str__(self) -> str:
        parts = zip(self, ("missing", "of another type", "not filled by any row"), strict=True)
        return "; ".join(f"{len(some)} {what}: {_listed(some)}" for some, what in parts if some)


def compare(mapping: TableSpec, there: Dict[str, str]) -> Drift:
    """A mapping against a stream declaration or a table: types of the columns by name."""
    wanted = {column.name: TYPES[column.type].in_stream for column in mapping.columns}
    retyped = [
        f"{name} ({there[name]}, not {kind})"
        for name, kind in wanted.items()
        if name in there and not _same(there[name], kind)
    ]
    return Drift(
        [name for name in wanted if name not in there],
        retyped,
        [name for name in there if name not in wanted],
    )


def _same(there: str, wanted: str) -> bool:
    """Whether two types hold the same values; a guid column takes text."""
    there = {"bool": "boolean", "guid": "string"}.get(there.lower(), there.lower())
    return there == wanted.lower()


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def rule(azure: AzureSettings, manager: Manager, mappings: Iterable[TableSpec]) -> Iterator[Check]:
    """The rule of `azure.dcr_resource_id`, against the configuration and the mappings."""
    name = "rule"
    if not azure.dcr_resource_id:
        advice = "set it to compare mappings, rule and tables"
        yield skipped(name, "azure.dcr_resource_id is empty", advice)
        return
    try:
        found = manager.get(azure.dcr_resource_id, _RULE, DeployedRule).properties
    except Missing as error:
        yield failed(name, error, "check azure.dcr_resource_id")
        return
    except SourceError as error:
        yield _unread(name, error, "rule")
        return
    yield _identity(name, azure, found)
    for mapping in mappings:
        yield _stream(mapping, found)
        yield _table(mapping, found, manager)
    yield _error_log(azure, manager)


def _unread(name: str, error: SourceError, what: str) -> Check:
    advice = f"grant this identity the role Reader on the {what}"
    return skipped(name, error, advice if isinstance(error, NotAllowed) else "")


def _identity(name: str, azure: AzureSettings, found: RuleProperties) -> Check:
    if azure.dcr_immutable_id and found.immutable_id != azure.dcr_immutable_id:
        said = f"its immutable id is {found.immutable_id}, not {azure.dcr_immutable_id}"
        return failed(name, said, "correct azure.dcr_immutable_id or azure.dcr_resource_id")
    own = (found.endpoints or {}).get("logsIngestion") or ""
    if own and azure.endpoint and own.rstrip("/").lower() != azure.endpoint.lower():
        advice = "correct if azure.endpoint is a Data Collection Endpoint of your own"
        return warning(name, f"the rule's own endpoint is {own}, not azure.endpoint", advice)
    return ok(name, f"{found.immutable_id}, {len(found.stream_declarations)} streams")


def _stream(mapping: TableSpec, found: RuleProperties) -> Check:
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
        advice = "the template deploys the transformation 'source'"
        return warning(name, "the rule transforms its rows", advice)
    return check


def _table(mapping: TableSpec, found: RuleProperties, manager: Manager) -> Check:
    name = f"table {mapping.table}"
    flow = _flow(mapping, found)
    workspaces = {one.name: one.workspace_resource_id for one in found.destinations.log_analytics}
    named = flow.destinations if flow else []
    workspace = next((workspaces[one] for one in named if one in workspaces), "")
    if not workspace:
        return skipped(name, "the rule does not name its workspace")
    try:
        table = manager.get(f"{workspace}/tables/{mapping.table}", _TABLE, DeployedTable).properties
    except Missing:
        return failed(name, "the workspace has no such table", _DEPLOY)
    except SourceError as error:
        return _unread(name, error, "workspace")
    own = {one.name: one.type for one in table.schema.columns}
    standard = {one.name: one.type for one in table.schema.standard_columns}
    drift = compare(mapping, standard | own)
    drift = drift._replace(extra=[column for column in drift.extra if column not in standard])
    check = _drifted(name, drift, len(own))
    if check.status == "ok" and table.plan not in ("", "Analytics"):
        advice = "Microsoft Sentinel's analytic rules need the plan Analytics"
        return warning(name, f"its plan is {table.plan}", advice)
    return check


def _flow(mapping: TableSpec, found: RuleProperties) -> Flow | None:
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
        settings = manager.get(path, _LOG, DiagnosticSettings).value
    except SourceError as error:
        return skipped(name, error)
    if not settings:
        return warning(name, "the rule has no diagnostic setting: losses are not logged", _DEPLOY)
    return ok(name, "the rule has a diagnostic setting, for DCRLogErrors")
