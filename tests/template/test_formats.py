"""The template in its languages: each is complete, and all deploy the same."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sentinelone_source.config.defaults import AzureTable
from sentinelone_source.mapping.spec.files import HEALTH
from sentinelone_source.template.generate import generate
from sentinelone_source.template.tables import plan_tables
from support.templates import DEPLOY, EXPRESSION, Parsed, Template, parse

ROOT = Path(__file__).parents[2]
TABLES = json.loads((ROOT / "tests/mapping/tables.json").read_text())
TABLES[HEALTH.table] = {column.name: column.kind.in_stream for column in HEALTH.columns}
LANGUAGES = ["arm", "bicep", "terraform"]
PARTS = [None, "tables", "rule"]


@cache
def text(language: str, only: Any = None, parser: bool = False) -> str:
    """A template of the built-in mappings."""
    return generate(plan_tables(), language, only=only, with_parser=parser)


@cache
def template(language: str, only: Any = None) -> Template:
    """The same with the parser function, parsed."""
    return parse(language, text(language, only, only != "rule"))


def columns_of(table: Parsed) -> dict[str, str]:
    """A table's columns, in order, in the mapping's words."""
    columns = table.body["properties"]["schema"]["columns"]
    return {c["name"]: c["type"].replace("dateTime", "datetime") for c in columns}


def test_tables_have_the_columns_of_the_connector() -> None:
    """Every table has its columns, the connector's first of all, in order and with types."""
    found = {table.name: list(columns_of(table).items()) for table in template("arm").of("tables")}
    assert found == {name: list(columns.items()) for name, columns in TABLES.items()}


def test_streams_equal_tables() -> None:
    """Each stream declares the columns of its table, with the same types, and flows into it."""
    [rule] = template("arm").of("dataCollectionRules")
    declared = {
        stream.removeprefix("Custom-"): {c["name"]: c["type"] for c in declaration["columns"]}
        for stream, declaration in rule.body["properties"]["streamDeclarations"].items()
    }
    assert declared == TABLES
    assert rule.body["kind"] == "Direct"
    for flow in rule.body["properties"]["dataFlows"]:
        assert flow["transformKql"] == "source"
        assert flow["streams"] == [flow["outputStream"]]


@pytest.mark.parametrize("only", PARTS, ids=str)
def test_bicep_deploys_what_arm_deploys(only: str | None) -> None:
    """Bicep and ARM have the same parameters, resources and outputs, whole and in parts."""
    assert template("bicep", only) == template("arm", only)


def test_bicep_of_the_source_tree() -> None:
    """deploy/azure/main.bicep reads tables.json and deploys the same as the printed template."""
    source = parse("bicep", (DEPLOY / "main.bicep").read_text())
    assert source.resources == template("bicep").resources
    assert source.parameters["withParser"] == (template("bicep").parameters["withParser"][0], False)


@pytest.mark.parametrize(("language", "file"), [("arm", "main.json"), ("tables", "tables.json")])
def test_generated_files_are_up_to_date(language: str, file: str) -> None:
    """A file of deploy/azure is what `template --format ...` prints for the built-in mappings."""
    assert (DEPLOY / file).read_text() == text(language)


def test_tables_one_after_another() -> None:
    """A workspace refuses concurrent changes: each table waits for the one before."""
    resources = json.loads(text("arm", parser=True))["resources"]
    waits = [
        [re.findall(r"'(\w+)'", i)[-1] for i in r.get("dependsOn", [])]
        for r in resources[: len(TABLES) + 2]
    ]
    names = list(TABLES)
    assert waits == [[], *([name] for name in names[:-1]), names, names]
    for language, order in (
        ("bicep", ("@batchSize(1)\nresource table ", "dependsOn: [table]\n")),
        ("terraform", ("locks                     = [var.workspace", "= [azapi_resource.table]\n")),
    ):
        assert [text(language, parser=True).count(mark) for mark in order] == [1, 2]
        assert [text(language, "rule").count(mark) for mark in order] == [0, 0]


def test_sender_and_monitoring() -> None:
    """The sender gets its role on the rule; lost rows are logged and raise an alert."""
    found = template("arm")
    [role] = found.of("roleAssignments")
    assert role.conditional
    assert role.body["properties"]["principalType"] == "ServicePrincipal"
    [errors] = found.of("diagnosticSettings")
    assert errors.body["properties"]["logs"] == [{"category": "LogErrors", "enabled": True}]
    watched = {}
    for alert in found.of("metricAlerts"):
        [criterion] = alert.body["properties"]["criteria"]["allOf"]
        watched[criterion["metricName"]] = criterion["timeAggregation"]
        assert (criterion["operator"], criterion["threshold"]) == ("GreaterThan", 0)
        assert alert.body["properties"]["scopes"] == [EXPRESSION]
    assert watched == {"RowsDropped_Count": "Total", "TransformationErrors_Count": "Count"}


def test_outputs_are_keys_of_the_configuration() -> None:
    """What a deployment prints can be copied into `[azure]` as it is."""
    outputs = template("arm").outputs
    assert outputs == ("tenant_id", "endpoint", "dcr_immutable_id", "dcr_resource_id")
    assert set(outputs) <= set(AzureTable.__struct_fields__)


def test_parts_together_are_the_whole() -> None:
    """Tables and rule, deployed into two resource groups, are all that the whole deploys."""
    whole, tables, rule = (template("arm", only) for only in PARTS)
    assert tables.resources + rule.resources == whole.resources
    assert tables.parameters | rule.parameters == whole.parameters
    assert tables.outputs == ()


@pytest.mark.parametrize("only", PARTS, ids=str)
@pytest.mark.parametrize(
    ("language", "declared", "used"),
    [
        ("arm", r'^    "(\w+)": \{\n      "type": "(?:string|int)",\n', r"parameters\('(\w+)'\)"),
        ("bicep", r"^param (\w+) ", r"(?<![\w.'/])(\w+)(?!\w*:)"),
        ("terraform", r'^variable "(\w+)"', r"var\.(\w+)"),
    ],
)
def test_parameters_are_declared_and_used(
    language: str, declared: str, used: str, only: str | None
) -> None:
    """A part asks for the parameters that it uses, and for no other."""
    written = text(language, only)
    body = re.sub(r"^(param .*|@description.*|//.*)$", "", written, flags=re.MULTILINE)
    names = set(re.findall(declared, written, flags=re.MULTILINE)) - set(template("arm").outputs)
    found = set(re.findall(used, body))
    assert names <= found
    if language != "bicep":
        assert found == names


@pytest.mark.parametrize("language", ["arm", "bicep"])
def test_the_parser_is_installed_as_it_is(language: str) -> None:
    """`--with-parser` installs the tested function, and without the option there is none."""
    assert "savedSearches" not in text(language)
    [function] = template(language).of("savedSearches")
    properties = function.body["properties"]
    assert properties["query"] == (DEPLOY / "SentinelOne.kql").read_text()
    assert (properties["functionAlias"], function.body["etag"]) == ("SentinelOne", "*")
    assert template(language).parameters["withParser"][1] is True


def test_the_comparison_notices_a_change() -> None:
    """The comparison fails for a file that cannot be read, or that deploys something else."""
    with pytest.raises(Exception, match="Unexpected"):
        parse("bicep", text("bicep").replace("}", "", 1))
    for old, new in (("'RowsDropped_Count'", "'Rows'"), ("toLower(column.type)", "column.type")):
        changed = text("bicep").replace(old, new)
        assert parse("bicep", changed).resources != template("bicep").resources
