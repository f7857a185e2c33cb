"""The ARM template against the models of Azure's management libraries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sentinelone_source.template.generate import generate
from sentinelone_source.template.tables import plan_tables
from support.azuremodels import mistakes

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = json.loads(generate(plan_tables(), with_parser=True))
RESOURCES = {r["type"]: json.dumps(r) for r in DOCUMENT["resources"]}
RULE = "Microsoft.Insights/dataCollectionRules"
ALERT = "Microsoft.Insights/metricAlerts"
TABLE = "Microsoft.OperationalInsights/workspaces/tables"


@pytest.mark.parametrize("resource", DOCUMENT["resources"], ids=lambda r: r["type"])
def test_resources(resource: dict[str, Any]) -> None:
    """Each resource fits the model of Azure's library, with no unknown member."""
    assert mistakes(resource) == []


def test_the_template_itself() -> None:
    """The document has the members of a template, and its expressions are balanced."""
    assert DOCUMENT["$schema"].endswith("/deploymentTemplate.json#")
    assert set(DOCUMENT) == {
        "$schema",
        "contentVersion",
        "metadata",
        "parameters",
        "variables",
        "resources",
        "outputs",
    }
    expressions = [text for text in _texts(DOCUMENT) if text.startswith("[")]
    assert expressions
    for expression in expressions:
        assert expression.endswith("]")
        assert expression.count("(") == expression.count(")")
        assert expression.count("'") % 2 == 0


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _first_flow(rule: Any) -> Any:
    return rule["properties"]["dataFlows"][0]


def _first_column(table: Any) -> Any:
    return table["properties"]["schema"]["columns"][0]


def _criterion(alert: Any) -> Any:
    return alert["properties"]["criteria"]["allOf"][0]


@pytest.mark.parametrize(
    ("kind", "spoil", "wanted"),
    [
        (RULE, lambda r: _first_flow(r).update(transformKQL="source"), "transformKQL: unknown"),
        (RULE, lambda r: r["properties"].update(streamDeclaration={}), "Declaration: unknown"),
        (RULE, lambda r: r["properties"].update(immutableId="x"), "immutableId: read-only"),
        (RULE, lambda r: r.pop("location"), "location: missing"),
        (RULE, lambda r: _first_flow(r).update(streams="x"), "streams: not a list"),
        (TABLE, lambda t: _first_column(t).update(type="text"), "'text' is none of"),
        (TABLE, lambda t: _first_column(t).update(isHidden=True), "isHidden: read-only"),
        (TABLE, lambda t: t["properties"].update(plan="Gold"), "'Gold' is none of"),
        (TABLE, lambda t: t["properties"].update(retention=3), "retention: unknown"),
        (ALERT, lambda a: a["properties"].pop("severity"), "severity: missing"),
        (ALERT, lambda a: _criterion(a).update(treshold=0), "treshold: unknown"),
        (ALERT, lambda a: _criterion(a).update(threshold="0"), "threshold: '0' is not"),
        (ALERT, lambda a: _criterion(a).pop("metricName"), "metricName: missing"),
    ],
)
def test_the_models_notice(kind: str, spoil: Callable[[Any], Any], wanted: str) -> None:
    """A wrong member or value is reported."""
    resource = json.loads(RESOURCES[kind])
    spoil(resource)
    found = mistakes(resource)
    assert len(found) == 1
    assert wanted in found[0]
