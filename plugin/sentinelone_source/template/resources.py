"""From tables to resources: the tables, the function, the rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sentinelone_source.template.model import (
    Deployment,
    Output,
    Parameter,
    Part,
    Resource,
    Said,
)
from sentinelone_source.template.parameters import (
    ACTIONS,
    ENDPOINT,
    GROUP,
    LOCATION,
    RETENTION,
    RULE_NAME,
    RULE_VERSION,
    SENDER,
    TOTAL_RETENTION,
    WORKSPACE,
    outputs,
)
from sentinelone_source.template.watch import alerts, errors, sender

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinelone_source.template.tables import Table


def describe(
    tables: Iterable[Table], *, only: Part | None = None, parser: str | None = None
) -> Deployment:
    """All that has to be deployed, or one part of it.

    Args:
        tables: as planned and checked.
        only: `tables` for the workspace's resource group, `rule` for another one.
        parser: the text of the workspace function, if it is wanted.
    """
    tables = tuple(tables)
    parameters: list[Parameter] = [WORKSPACE]
    resources: list[Resource] = []
    told: tuple[Output, ...] = ()
    if only != "rule":
        parameters += [RETENTION, TOTAL_RETENTION]
        resources += _tables(tables)
        resources += [_parser(parser, after=resources[-1].key)] if parser else []
    if only != "tables":
        parameters += [SENDER, RULE_NAME, LOCATION, GROUP, ENDPOINT, ACTIONS]
        after = tuple(resource.key for resource in resources if resource.lasting)
        resources += [_rule(tables, after), sender(), errors(), *alerts()]
        told = outputs()
    return Deployment(tuple(parameters), tuple(resources), told)


def _tables(tables: tuple[Table, ...]) -> list[Resource]:
    """One after another: a workspace refuses to be changed from two sides at once."""
    keys = [f"table_{table.mapping}".replace("-", "_") for table in tables]
    return [
        Resource(
            key=key,
            type="Microsoft.OperationalInsights/workspaces/tables",
            version="2023-09-01",
            name=table.name,
            home="workspace",
            properties={
                "plan": "Analytics",
                "retentionInDays": _or_default(RETENTION),
                "totalRetentionInDays": _or_default(TOTAL_RETENTION),
                "schema": {
                    "name": table.name,
                    "columns": [column.in_table for column in table.columns],
                },
            },
            after=tuple(keys[number - 1 : number]) if number else (),
            lasting=True,
        )
        for number, (key, table) in enumerate(zip(keys, tables, strict=True))
    ]


def _or_default(days: Parameter) -> Said:
    """Azure answers -1 with the workspace's days, which Terraform would take for a change."""
    value = days.value
    return Said(value.arm, value.bicep, f"{value.terraform} == -1 ? null : {value.terraform}")


def _parser(text: str, after: str) -> Resource:
    return Resource(
        key="parser",
        type="Microsoft.OperationalInsights/workspaces/savedSearches",
        version="2020-08-01",
        name="sentinelone-source-parser",
        home="workspace",
        properties={
            "category": "SentinelOne",
            "displayName": "SentinelOne",
            "functionAlias": "SentinelOne",
            "query": text,
            "version": 2,
        },
        members={"etag": "*"},
        after=(after,),
    )


def _rule(tables: tuple[Table, ...], after: tuple[str, ...]) -> Resource:
    return Resource(
        key="rule",
        type="Microsoft.Insights/dataCollectionRules",
        version=RULE_VERSION,
        name=RULE_NAME.value,
        home="group",
        location=_location(),
        members={"kind": "Direct"},
        properties={
            "description": "SentinelOne rows, from sentinelone-source",
            "dataCollectionEndpointId": _endpoint(),
            "streamDeclarations": {
                table.stream: {"columns": [column.in_stream for column in table.columns]}
                for table in tables
            },
            "destinations": {
                "logAnalytics": [{"name": "workspace", "workspaceResourceId": WORKSPACE.value}]
            },
            "dataFlows": [_flow(table) for table in tables],
        },
        after=after,
        exports=("properties.immutableId", "properties.endpoints.logsIngestion"),
    )


def _flow(table: Table) -> dict[str, Any]:
    return {
        "streams": [table.stream],
        "destinations": ["workspace"],
        "transformKql": "source",
        "outputStream": f"Custom-{table.name}",
    }


def _endpoint() -> Said:
    value = ENDPOINT.value
    return Said(
        f"if(empty({value.arm}), null(), {value.arm})",
        f"empty({value.bicep}) ? null : {value.bicep}",
        f'{value.terraform} == "" ? null : {value.terraform}',
    )


def _location() -> Said:
    return Said(LOCATION.value.arm, LOCATION.value.bicep, "data.azapi_resource.workspace.location")
