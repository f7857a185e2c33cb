"""Who may send to the rule, and who is told of what it loses."""

from __future__ import annotations

from typing import Any

from sentinelone_source.template.model import Resource, Said
from sentinelone_source.template.parameters import (
    ACTIONS,
    ROLE_ID,
    RULE_ID,
    RULE_NAME,
    SENDER,
    SENDER_ROLE,
    WORKSPACE,
)

_CRITERIA = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"


def sender() -> Resource:
    """The role that lets the sender send, on this rule alone."""
    who = SENDER.value
    return Resource(
        key="sender",
        type="Microsoft.Authorization/roleAssignments",
        version="2022-04-01",
        name=Said(
            f"guid({RULE_ID.arm}, {who.arm}, '{SENDER_ROLE}')",
            f"guid({RULE_ID.bicep}, {who.bicep}, '{SENDER_ROLE}')",
            f'uuidv5("url", "${{{RULE_ID.terraform}}}/${{{who.terraform}}}/{SENDER_ROLE}")',
        ),
        home="rule",
        properties={
            "roleDefinitionId": ROLE_ID,
            "principalId": who,
            "principalType": "ServicePrincipal",
        },
        after=("rule",),
        unless_empty=SENDER,
    )


def errors() -> Resource:
    """What the rule could not store, to DCRLogErrors of the same workspace."""
    return Resource(
        key="errors",
        type="Microsoft.Insights/diagnosticSettings",
        version="2021-05-01-preview",
        name="errors-to-workspace",
        home="rule",
        properties={
            "workspaceId": WORKSPACE.value,
            "logs": [{"category": "LogErrors", "enabled": True}],
        },
        after=("rule",),
    )


def alerts() -> list[Resource]:
    """What Azure takes with a 204 and loses afterwards shows nowhere else."""
    return [
        _alert(
            "rows_dropped",
            "Azure dropped SentinelOne rows after accepting them; see the table DCRLogErrors.",
            "RowsDropped_Count",
            "Total",
        ),
        _alert(
            "transformation_errors",
            "Azure could not transform SentinelOne rows; see the table DCRLogErrors.",
            "TransformationErrors_Count",
            "Count",
        ),
    ]


def _alert(key: str, description: str, metric: str, aggregation: str) -> Resource:
    suffix, name = key.replace("_", "-"), RULE_NAME.value
    return Resource(
        key=key,
        type="Microsoft.Insights/metricAlerts",
        version="2018-03-01",
        name=Said(
            f"format('{{0}}-{suffix}', {name.arm})",
            f"'${{{name.bicep}}}-{suffix}'",
            f'"${{{name.terraform}}}-{suffix}"',
        ),
        home="group",
        location="global",
        properties={
            "description": description,
            "severity": 1,
            "enabled": True,
            "autoMitigate": True,
            "scopes": [RULE_ID],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT15M",
            "criteria": {
                "odata.type": _CRITERIA,
                "allOf": [_criterion(suffix, metric, aggregation)],
            },
            "actions": _actions(),
        },
        after=("rule",),
    )


def _actions() -> Said:
    group = ACTIONS.value
    return Said(
        f"if(empty({group.arm}), createArray(), "
        f"createArray(createObject('actionGroupId', {group.arm})))",
        f"empty({group.bicep}) ? [] : [{{ actionGroupId: {group.bicep} }}]",
        f"[for id in compact([{group.terraform}]) : {{ actionGroupId = id }}]",
    )


def _criterion(name: str, metric: str, aggregation: str) -> dict[str, Any]:
    """More than none, for each stream by itself."""
    return {
        "criterionType": "StaticThresholdCriterion",
        "name": name,
        "metricNamespace": "Microsoft.Insights/dataCollectionRules",
        "metricName": metric,
        "timeAggregation": aggregation,
        "operator": "GreaterThan",
        "threshold": 0,
        "dimensions": [{"name": "InputStreamId", "operator": "Include", "values": ["*"]}],
        "skipMetricValidation": True,
    }
