"""The template in its three languages: what each says, and that they say the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sentinelone_source.template.generator import WRITERS, generate
from sentinelone_source.template.resources import describe
from sentinelone_source.template.tables import plan_tables
from support.templates import EXPRESSION, Parsed, Template, parse

ROOT = Path(__file__).parents[2]
EXAMPLES = {"arm": "main.json", "bicep": "main.bicep", "terraform": "main.tf"}
TABLES = json.loads((ROOT / "tests/mapping/tables.json").read_text())
REFERENCE = ROOT.parent / "shared/reference/data"
LANGUAGES = sorted(WRITERS)
OTHERS = [language for language in LANGUAGES if language != "arm"]
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_have_the_connectors_columns(language: str) -> None:
    """A table lacks a column, or has it as another type than Microsoft's parser expects."""
    found = {table.name: columns_of(table) for table in template(language).of("tables")}
    assert found == TABLES
    assert {name: list(columns) for name, columns in found.items()} == {
        name: list(columns) for name, columns in TABLES.items()
    }


def test_tables_equal_the_published_ones() -> None:
    """Our copy of the connector's tables has drifted from what was read of the connector."""
    file = REFERENCE / "tables.json"
    if not file.is_file():
        pytest.skip("the reference data is not at hand")
    published = json.loads(file.read_text())
    for table in template("arm").of("tables"):
        wanted = {column["name"]: column["type"] for column in published[table.name]}
        assert columns_of(table) == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_streams_equal_tables(language: str) -> None:
    """Azure drops a column that the stream does not declare, or refuses one of another type."""
    [rule] = template(language).of("dataCollectionRules")
    streams = rule.body["properties"]["streamDeclarations"]
    declared = {
        stream.removeprefix("Custom-"): {c["name"]: c["type"] for c in declaration["columns"]}
        for stream, declaration in streams.items()
    }
    assert declared == TABLES
    assert rule.body["kind"] == "Direct"
    for flow in rule.body["properties"]["dataFlows"]:
        assert flow["transformKql"] == "source"
        assert flow["streams"] == [flow["outputStream"]]


@pytest.mark.parametrize("only", PARTS, ids=str)
@pytest.mark.parametrize("language", OTHERS)
def test_languages_say_the_same(language: str, only: str | None) -> None:
    """Who deploys with Bicep or Terraform gets something else than who deploys with ARM."""
    arm, other = template("arm", only), template(language, only)
    assert [r.type for r in other.resources] == [r.type for r in arm.resources]
    for ours, theirs in zip(arm.resources, other.resources, strict=True):
        assert ours.body == theirs.body, ours.name
        assert (ours.name, ours.conditional) == (theirs.name, theirs.conditional)
        assert ours.location == theirs.location
    assert other.outputs == arm.outputs


@pytest.mark.parametrize("language", LANGUAGES)
def test_order(language: str) -> None:
    """The workspace refuses two changes at once, or the rule comes before its tables."""
    found = template(language)
    *tables, parser, rule = found.resources[:7]
    assert [len(table.after) for table in tables] == [0, 1, 1, 1, 1]
    assert len(parser.after) == 1
    assert rule.type.startswith("Microsoft.Insights/dataCollectionRules@")
    assert len(rule.after) == len(set(rule.after)) == len(tables)
    for before, after in zip(tables, [*tables[1:], parser], strict=True):
        [named] = after.after
        assert named in {before.name, f"table_{before.name[11:-3].lower()}"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_may_send_and_who_is_told(language: str) -> None:
    """The sender is refused, or rows are lost and nobody hears of it."""
    found = template(language)
    [role] = found.of("roleAssignments")
    assert role.conditional
    assert role.body["properties"]["principalType"] == "ServicePrincipal"
    assert "3913510d-42f4-4e42-8a64-420c390055eb" in text(language)
    [errors] = found.of("diagnosticSettings")
    assert errors.body["properties"]["logs"] == [{"category": "LogErrors", "enabled": True}]
    watched = {}
    for alert in found.of("metricAlerts"):
        [criterion] = alert.body["properties"]["criteria"]["allOf"]
        watched[criterion["metricName"]] = criterion["timeAggregation"]
        assert (criterion["operator"], criterion["threshold"]) == ("GreaterThan", 0)
        assert alert.body["properties"]["scopes"] == [EXPRESSION]
    assert watched == {"RowsDropped_Count": "Total", "TransformationErrors_Count": "Count"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_outputs_are_the_keys_of_the_configuration(language: str) -> None:
    """What the deployment prints cannot be put into config.toml as it is."""
    from sentinelone_source.config import Azure

    outputs = template(language).outputs
    assert outputs == ("tenant_id", "endpoint", "dcr_immutable_id", "dcr_resource_id")
    assert set(outputs) <= set(Azure.__struct_fields__)


@pytest.mark.parametrize("language", LANGUAGES)
def test_parts_together_are_the_whole(language: str) -> None:
    """Who deploys into two resource groups gets something else, or less."""
    whole, tables, rule = (template(language, only) for only in PARTS)
    assert [r.body for r in (*tables.resources, *rule.resources)] == [
        r.body for r in whole.resources
    ]
    assert {*tables.parameters, *rule.parameters} == set(whole.parameters)
    assert tables.outputs == ()
    assert rule.resources[0].after == ()


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
    """A deployment that fails for a name nobody declared, or asks for what it does not use."""
    written = text(language, only)
    body = re.sub(r"^(param .*|@description.*)$", "", written, flags=re.MULTILINE)
    names = set(re.findall(declared, written, flags=re.MULTILINE)) - set(
        template(language, only).outputs
    )
    assert names == set(template(language, only).parameters)
    found = set(re.findall(used, body))
    assert names <= found
    if language != "bicep":
        assert found <= names


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_parser_is_installed_as_it_is(language: str) -> None:
    """The function in the workspace is not the one that was tested."""
    assert "savedSearches" not in text(language)
    [function] = template(language).of("savedSearches")
    properties = function.body["properties"]
    assert properties["query"] == (ROOT / "deploy/azure/SentinelOne.kql").read_text()
    assert (properties["functionAlias"], function.body["etag"]) == ("SentinelOne", "*")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "query",
    [
        "T | where A == 'it''s' and B == \"q\" // \\d ${x} %{y}\n| take 1\n",
        "T // no line end, \\ and 'quotes'\n| take 1",
        "T // three ''' quotes\n| take 1\n",
        "T // ${one} \\line 'only'",
        "[T] | take 1\n",
        "T\n  KQL\n| take 1\n",
        "KQL\n| take 1\n",
    ],
)
def test_any_text_comes_through(language: str, query: str) -> None:
    """A query with quotes, braces or backslashes is another one once it is deployed."""
    deployment = describe(plan_tables(), only="tables", parser=query)
    function = replace(deployment, resources=(replace(deployment.resources[-1], after=()),))
    [found] = parse(language, WRITERS[language](function, "")).resources
    assert found.body["properties"]["query"] == query


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_are_up_to_date(language: str) -> None:
    """The example is not what `sentinelone-source template --format ... -o ...` prints today."""
    assert (ROOT / "deploy/azure" / EXAMPLES[language]).read_text() == text(language)


@pytest.mark.parametrize("only", PARTS, ids=str)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_is_always_the_same(language: str, only: Any) -> None:
    """A template that is made again differs although nothing has changed."""
    again = generate(plan_tables(), language, only=only)
    assert again == text(language, only)
    assert again.endswith("\n")


@pytest.mark.parametrize("parser", [False, True])
@pytest.mark.parametrize("only", PARTS, ids=str)
def test_terraform_fmt(only: Any, parser: bool, tmp_path: Path) -> None:
    """A file that every formatter run changes."""
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("no terraform here")
    (tmp_path / "main.tf").write_text(text("terraform", only, parser))
    done = subprocess.run(
        [terraform, "fmt", "-check", "-diff", str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


def test_parsers_notice_what_is_broken() -> None:
    """The tests above would pass on a file that nobody can read."""
    with pytest.raises(Exception, match="Unexpected"):
        parse("bicep", text("bicep").replace("}", "", 1))
    with pytest.raises(Exception, match="Unexpected"):
        parse("terraform", text("terraform").replace("}", "", 1))
    changed = text("bicep").replace("'RowsDropped_Count'", "'RowsReceived_Count'")
    assert parse("bicep", changed).resources != template("bicep").resources
