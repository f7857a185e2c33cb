"""The ARM template's data collection rule, who may send to it, and its monitoring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentinelone_source.template.tables import Table

RULE_PARAMETERS: dict[str, tuple[str, str | None]] = {
    "senderPrincipalId": (
        (
            "Object id of the service principal or managed identity that sends; not of the app "
            "registration. Empty: no role is granted."
        ),
        None,
    ),
    "dcrName": ("Name of the data collection rule.", "dcr-sentinelone"),
    "location": (
        "Region of the workspace; the rule must be in the same one.",
        "[resourceGroup().location]",
    ),
    "dataCollectionEndpointId": (
        "A data collection endpoint, which private link needs. Empty: the endpoint of the rule.",
        "",
    ),
    "actionGroupId": ("The action group that the alerts call. Empty: none.", ""),
}
_VERSION = "2023-03-11"
_SENDER_ROLE = "3913510d-42f4-4e42-8a64-420c390055eb"
"""Monitoring Metrics Publisher: the built-in role that may send to a rule."""
_RULE_ID = "resourceId('Microsoft.Insights/dataCollectionRules', parameters('dcrName'))"
_ROLE_ID = f"subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{_SENDER_ROLE}')"
_RULE = f"reference({_RULE_ID}, '{_VERSION}')"
_ENDPOINT = "parameters('dataCollectionEndpointId')"
_ALERTS = (
    (
        "rows-dropped",
        "Azure dropped SentinelOne rows after accepting them; see the table DCRLogErrors.",
        "RowsDropped_Count",
        "Total",
    ),
    (
        "transformation-errors",
        "Azure could not transform SentinelOne rows; see the table DCRLogErrors.",
        "TransformationErrors_Count",
        "Count",
    ),
)


def _output(description: str, expression: str) -> dict[str, Any]:
    return {
        "type": "string",
        "metadata": {"description": description},
        "value": f"[{expression}]",
    }


OUTPUTS = {
    "tenant_id": _output("The Entra tenant.", "tenant().tenantId"),
    "endpoint": _output(
        "The logs ingestion endpoint.",
        f"if(empty({_ENDPOINT}), {_RULE}.endpoints.logsIngestion, "
        f"reference({_ENDPOINT}, '{_VERSION}').logsIngestion.endpoint)",
    ),
    "dcr_immutable_id": _output(
        "The name of the rule in the ingestion URL.", f"{_RULE}.immutableId"
    ),
    "dcr_resource_id": _output("The rule; doctor compares it with the mappings.", _RULE_ID),
}
"""Named as the keys of `[azure]` that they fill."""


def rule_resources(tables: Sequence[Table], before: list[str]) -> list[dict[str, Any]]:
    """The rule and what belongs to it.

    Args:
        tables: whose streams it takes.
        before: ids of what must be deployed first.
    """
    return [_rule(tables, before), _sender(), _errors(), *(_alert(*alert) for alert in _ALERTS)]


def _rule(tables: Sequence[Table], before: list[str]) -> dict[str, Any]:
    return {
        "type": "Microsoft.Insights/dataCollectionRules",
        "apiVersion": _VERSION,
        "name": "[parameters('dcrName')]",
        "location": "[parameters('location')]",
        **({"dependsOn": before} if before else {}),
        "kind": "Direct",
        "properties": {
            "description": "SentinelOne rows, from sentinelone-source",
            "dataCollectionEndpointId": f"[if(empty({_ENDPOINT}), null(), {_ENDPOINT})]",
            "streamDeclarations": {
                table.stream: {"columns": [column.in_stream for column in table.columns]}
                for table in tables
            },
            "destinations": {
                "logAnalytics": [
                    {
                        "name": "workspace",
                        "workspaceResourceId": "[parameters('workspaceResourceId')]",
                    }
                ]
            },
            "dataFlows": [
                {
                    "streams": [table.stream],
                    "destinations": ["workspace"],
                    "transformKql": "source",
                    "outputStream": f"Custom-{table.name}",
                }
                for table in tables
            ],
        },
    }


def _sender() -> dict[str, Any]:
    """The role that lets the sender send, on this rule alone."""
    return {
        "condition": "[not(empty(parameters('senderPrincipalId')))]",
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": "2022-04-01",
        "name": f"[guid({_RULE_ID}, parameters('senderPrincipalId'), '{_SENDER_ROLE}')]",
        "scope": f"[{_RULE_ID}]",
        "dependsOn": [f"[{_RULE_ID}]"],
        "properties": {
            "roleDefinitionId": f"[{_ROLE_ID}]",
            "principalId": "[parameters('senderPrincipalId')]",
            "principalType": "ServicePrincipal",
        },
    }


def _errors() -> dict[str, Any]:
    """What the rule could not store goes to the table DCRLogErrors of the workspace."""
    return {
        "type": "Microsoft.Insights/diagnosticSettings",
        "apiVersion": "2021-05-01-preview",
        "name": "errors-to-workspace",
        "scope": f"[{_RULE_ID}]",
        "dependsOn": [f"[{_RULE_ID}]"],
        "properties": {
            "workspaceId": "[parameters('workspaceResourceId')]",
            "logs": [{"category": "LogErrors", "enabled": True}],
        },
    }


def _alert(name: str, description: str, metric: str, aggregation: str) -> dict[str, Any]:
    """More than none, for each stream: what Azure loses after its 204 shows nowhere else."""
    group = "parameters('actionGroupId')"
    return {
        "type": "Microsoft.Insights/metricAlerts",
        "apiVersion": "2018-03-01",
        "name": f"[format('{{0}}-{name}', parameters('dcrName'))]",
        "location": "global",
        "dependsOn": [f"[{_RULE_ID}]"],
        "properties": {
            "description": description,
            "severity": 1,
            "enabled": True,
            "autoMitigate": True,
            "scopes": [f"[{_RULE_ID}]"],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT15M",
            "criteria": {
                "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "allOf": [
                    {
                        "criterionType": "StaticThresholdCriterion",
                        "name": name,
                        "metricNamespace": "Microsoft.Insights/dataCollectionRules",
                        "metricName": metric,
                        "timeAggregation": aggregation,
                        "operator": "GreaterThan",
                        "threshold": 0,
                        "dimensions": [
                            {"name": "InputStreamId", "operator": "Include", "values": ["*"]}
                        ],
                        "skipMetricValidation": True,
                    }
                ],
            },
            "actions": (
                f"[if(empty({group}), createArray(), "
                f"createArray(createObject('actionGroupId', {group})))]"
            ),
        },
    }
