"""The ARM template: complete, with one resource for each table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sentinelone_source.template.arm_rule import OUTPUTS, RULE_PARAMETERS, rule_resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentinelone_source.template.tables import Table

_TABLE = "Microsoft.OperationalInsights/workspaces/tables"
_COMMENT = "Made from the mappings by `sentinelone-source template`; make it again, do not edit it."
_WORKSPACE = {
    "workspaceResourceId": (
        "The Log Analytics workspace: /subscriptions/.../workspaces/NAME.",
        None,
    )
}
_TABLE_PARAMETERS = {
    "retentionInDays": (
        "Days that the tables can be queried, 4 to 730. -1: the setting of the workspace.",
        -1,
    ),
    "totalRetentionInDays": (
        "Days that the tables are kept, archive included, 4 to 4383. -1: no archive.",
        -1,
    ),
}
_PARSER_PARAMETERS = {
    "withParser": ("Whether to install the workspace function SentinelOne.", True),
}


def arm_template(tables: Sequence[Table], *, only: str | None, parser: str | None) -> str:
    """The template as JSON text.

    Args:
        tables: what the mappings need.
        only: `tables` or `rule` for one part of it.
        parser: the text of the workspace function, if it is wanted.
    """
    parameters: dict[str, tuple[str, Any]] = dict(_WORKSPACE)
    variables: dict[str, str] = {}
    resources: list[dict[str, Any]] = []
    if only != "rule":
        parameters |= _TABLE_PARAMETERS
        variables["workspaceName"] = "[last(split(parameters('workspaceResourceId'), '/'))]"
        resources += _tables(tables)
    before = [_table_id(table) for table in tables] if resources else []
    if parser is not None:
        parameters |= _PARSER_PARAMETERS
        resources.append(_parser(parser, before))
    if only != "tables":
        parameters |= RULE_PARAMETERS
        resources += rule_resources(tables, before)
    document = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "metadata": {"description": _COMMENT},
        "parameters": {name: _parameter(*said) for name, said in parameters.items()},
        "variables": variables,
        "resources": resources,
        "outputs": OUTPUTS if only != "tables" else {},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _parameter(description: str, default: str | int | None) -> dict[str, Any]:
    """A parameter; without a default it must be given."""
    kinds = {bool: "bool", int: "int"}
    return {
        "type": kinds.get(type(default), "string"),
        **({} if default is None else {"defaultValue": default}),
        "metadata": {"description": description},
    }


def _table_id(table: Table) -> str:
    return f"[resourceId('{_TABLE}', variables('workspaceName'), '{table.name}')]"


def _tables(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """One after another: a workspace refuses concurrent changes."""
    return [
        {
            "type": _TABLE,
            "apiVersion": "2023-09-01",
            "name": f"[format('{{0}}/{table.name}', variables('workspaceName'))]",
            **({"dependsOn": [_table_id(tables[number - 1])]} if number else {}),
            "properties": {
                "plan": "Analytics",
                "retentionInDays": "[parameters('retentionInDays')]",
                "totalRetentionInDays": "[parameters('totalRetentionInDays')]",
                "schema": {
                    "name": table.name,
                    "columns": [column.in_table for column in table.columns],
                },
            },
        }
        for number, table in enumerate(tables)
    ]


def _parser(text: str, before: list[str]) -> dict[str, Any]:
    return {
        "condition": "[parameters('withParser')]",
        "type": "Microsoft.OperationalInsights/workspaces/savedSearches",
        "apiVersion": "2020-08-01",
        "name": "[format('{0}/sentinelone-source-parser', variables('workspaceName'))]",
        "dependsOn": before,
        "etag": "*",
        "properties": {
            "category": "SentinelOne",
            "displayName": "SentinelOne",
            "functionAlias": "SentinelOne",
            "query": text,
            "version": 2,
        },
    }
