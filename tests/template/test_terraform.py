"""The Terraform template, evaluated by Terraform: it deploys what the ARM template deploys."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import hcl2
import pytest

from sentinelone_source.mapping.spec.files import load_tables
from sentinelone_source.template.generate import generate
from sentinelone_source.template.tables import plan_tables
from support.templates import DEPLOY, EXPRESSION, parse
from support.terraform import Deployed, run

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "/subscriptions/1-2-3/resourceGroups/rg-sentinel"
WORKSPACE = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/law"
ELSEWHERE = "/subscriptions/4-5-6/resourceGroups/rg-other"
NEEDED = {"workspace_resource_id": WORKSPACE, "sender_principal_id": ""}
SAID = {
    "workspace_resource_id": WORKSPACE,
    "sender_principal_id": "abc",
    "resource_group_id": ELSEWHERE,
    "retention_in_days": 90,
    "total_retention_in_days": 365,
    "data_collection_endpoint_id": "/dce",
    "action_group_id": "/group",
    "dcr_name": "mine",
}


def text(only: Any = None, parser: bool = True) -> str:
    """The template of the built-in mappings."""
    return generate(plan_tables(), "terraform", only=only, with_parser=parser)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """What is deployed when every variable has a value."""
    return run(text(), tmp_path_factory.mktemp("full"), **SAID)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """What is deployed when only the required variables have a value."""
    return run(text(), tmp_path_factory.mktemp("plain"), **NEEDED)


def fits(wanted: Any, found: Any) -> bool:
    """Whether a value is the wanted one, or stands where ARM has an expression."""
    if wanted == EXPRESSION:
        return True
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(fits(wanted[k], found[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(fits, wanted, found))
    return bool(wanted == found)


def test_deploys_what_arm_deploys(full: Deployed) -> None:
    """Each resource has the type, name, place and body that it has in the ARM template."""
    arm = parse("arm", generate(plan_tables(), with_parser=True))
    assert len(full.resources) == len(arm.resources)
    for kind in {resource.type.partition("@")[0].rpartition("/")[2] for resource in arm.resources}:
        wanted = arm.of(kind)
        if kind == "tables":  # whose order Terraform makes itself
            wanted.sort(key=lambda table: table.name)
        for ours, theirs in zip(full.of(kind), wanted, strict=True):
            assert ours["type"] == theirs.type
            assert fits(theirs.name, ours["name"])
            assert fits(theirs.location, ours.get("location"))
            assert fits(theirs.body, ours["body"]), ours["name"]
    assert set(full.outputs) == set(arm.outputs)


def test_defaults(plain: Deployed) -> None:
    """A variable that is left out has the documented default."""
    table, rule, alert = (plain.of(k)[0] for k in ("tables", "dataCollectionRules", "metricAlerts"))
    properties = table["body"]["properties"]
    assert (properties["retentionInDays"], properties["totalRetentionInDays"]) == (None, None)
    assert rule["body"]["properties"]["dataCollectionEndpointId"] is None
    assert (rule["parent_id"], rule["location"]) == (GROUP, "westeurope")
    assert alert["name"] == "dcr-sentinelone-rows-dropped"
    assert alert["body"]["properties"]["actions"] == []
    assert plain.of("roleAssignments") == []
    assert plain.outputs["endpoint"] == "https://own"


def test_variables(full: Deployed) -> None:
    """Every variable has its effect."""
    table, rule, alert = (full.of(k)[0] for k in ("tables", "dataCollectionRules", "metricAlerts"))
    properties = table["body"]["properties"]
    assert (properties["retentionInDays"], properties["totalRetentionInDays"]) == (90, 365)
    assert rule["body"]["properties"]["dataCollectionEndpointId"] == "/dce"
    assert (rule["parent_id"], rule["name"]) == (ELSEWHERE, "mine")
    assert alert["name"] == "mine-rows-dropped"
    assert alert["body"]["properties"]["actions"] == [{"actionGroupId": "/group"}]
    [role] = full.of("roleAssignments")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", role["name"])
    assert role["body"]["properties"]["roleDefinitionId"] == (
        "/subscriptions/4-5-6/providers/Microsoft.Authorization/roleDefinitions/"
        "3913510d-42f4-4e42-8a64-420c390055eb"
    )
    assert full.outputs["endpoint"] == "https://dce"


def test_the_source_tree(plain: Deployed, tmp_path: Path) -> None:
    """deploy/azure/main.tf reads tables.json and deploys the same tables, without the parser."""
    for name in ("tables.json", "SentinelOne.kql"):
        shutil.copy(DEPLOY / name, tmp_path)
    found = run((DEPLOY / "main.tf").read_text(), tmp_path, **NEEDED)
    assert found.resources.keys() == plain.resources.keys() - {"terraform_data.parser[0]"}
    assert found.of("tables") == plain.of("tables")
    installed = run((DEPLOY / "main.tf").read_text(), tmp_path, **NEEDED, with_parser="true")
    assert installed.of("savedSearches") == plain.of("savedSearches")


@pytest.mark.parametrize("only", ["tables", "rule"])
def test_parts(full: Deployed, only: str, tmp_path: Path) -> None:
    """A part deploys its share of the whole, and asks only for the variables that it needs."""
    found = run(text(only, parser=False), tmp_path, **SAID)
    assert found.resources.keys() < full.resources.keys()
    assert bool(found.of("tables")) is (only == "tables")
    assert bool(found.outputs) is (only == "rule")


def test_tables_survive() -> None:
    """A table is never destroyed by Terraform, and one of version 0.1.0 keeps its state."""
    assert text().count("prevent_destroy = true") == 1
    moved = dict(re.findall(r"from = (\S+)\n  to   = (\S+)", text()))
    for table in load_tables():
        if f"azapi_resource.table_{table.name}" in moved:
            assert moved[f"azapi_resource.table_{table.name}"] == (
                f'azapi_resource.table["{table.table}"]'
            )
    assert len(moved) == 7


def test_variables_are_those_of_arm() -> None:
    """Terraform's variables have the descriptions and defaults of ARM's parameters."""
    arm = parse("arm", generate(plan_tables(), with_parser=True)).parameters
    blocks = {
        name.strip('"'): block
        for variable in hcl2.loads(text())["variable"]
        for name, block in variable.items()
    }
    for name, (description, default) in arm.items():
        snake = re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", name)
        if name == "location":
            assert snake not in blocks
            continue
        block = blocks.pop(snake)
        assert block["description"] == f'"{description}"'
        assert block.get("default") == (f'"{default}"' if isinstance(default, str) else default)
    assert blocks.keys() == {"resource_group_id"}


@pytest.mark.parametrize("only", [None, "tables", "rule"], ids=str)
def test_terraform_fmt(only: Any, tmp_path: Path) -> None:
    """`terraform fmt` leaves the template as it is."""
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("no terraform here")
    (tmp_path / "main.tf").write_text(text(only, parser=only is None))
    done = subprocess.run(
        [terraform, "fmt", "-check", "-diff", str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()
