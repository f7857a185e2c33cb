"""The expressions of the Terraform template, evaluated by Terraform itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from sentinelone_source.template.generator import generate, parser_file
from sentinelone_source.template.tables import plan_tables

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "/subscriptions/1-2-3/resourceGroups/rg-sentinel"
WORKSPACE = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/law"
ELSEWHERE = "/subscriptions/4-5-6/resourceGroups/rg-other"
RULE = f"{GROUP}/providers/Microsoft.Insights/dataCollectionRules/dcr"
STOOD_FOR = {
    "azapi_resource.rule.id": f'"{RULE}"',
    "azapi_resource.rule.output.properties.endpoints.logsIngestion": '"https://own"',
    "data.azapi_resource.endpoint[0].output.properties.logsIngestion.endpoint": '"https://dce"',
}


def expression(text: str, member: str) -> str:
    """The first value that the template gives a member."""
    found = re.search(rf"^ *{member} += (.+)$", text, flags=re.MULTILINE)
    assert found, member
    value = found[1]
    for name, stand_in in STOOD_FOR.items():
        value = value.replace(f"${{{name}}}", RULE).replace(name, stand_in)
    return value


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's variables, locals and expressions, without a provider."""
    if shutil.which("terraform") is None:
        pytest.skip("no terraform here")
    text = generate(plan_tables(), "terraform", with_parser=True)
    query = re.search(r"<<KQL\n.*?^KQL$", text, flags=re.MULTILINE | re.DOTALL)
    assert query
    parts = re.findall(r"^(?:variable|locals).*?^}$", text, flags=re.MULTILINE | re.DOTALL)
    outputs = {
        "group": "local.resource_group_id",
        "query": query[0],
        "days": expression(text, "retentionInDays"),
        "all_days": expression(text, "totalRetentionInDays"),
        "of_its_own": expression(text, "dataCollectionEndpointId"),
        "role": expression(text, "roleDefinitionId"),
        "assignment": expression(text[text.index('"sender"') :], "name"),
        "assignments": expression(text[text.index('"sender"') :], "count"),
        "alert": expression(text[text.index('"rows_dropped"') :], "name"),
        "actions": expression(text, "actions"),
        "endpoint": expression(text[text.index('output "endpoint"') :], "value"),
    }
    parts += [f'output "{name}" {{\n  value = {value}\n}}' for name, value in outputs.items()]
    folder = tmp_path_factory.mktemp("terraform")
    (folder / "main.tf").write_text("\n".join(parts))
    return folder


def evaluate(module: Path, **variables: Any) -> dict[str, Any]:
    """What the outputs are for these variables."""
    environ = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}
    for name, value in variables.items():
        environ[f"TF_VAR_{name}"] = str(value)
    for arguments in (["init"], ["apply", "-auto-approve"]):
        done = subprocess.run(
            ["terraform", *arguments, "-input=false", "-no-color"],
            cwd=module,
            env=environ,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    shown = subprocess.run(
        ["terraform", "output", "-json"], cwd=module, env=environ, capture_output=True, check=True
    )
    return {name: output["value"] for name, output in json.loads(shown.stdout).items()}


def test_defaults(module: Path) -> None:
    """Who says only what must be said gets something else than what is documented."""
    found = evaluate(module, workspace_resource_id=WORKSPACE, sender_principal_id="")
    assert found["group"] == GROUP
    assert (found.get("days"), found.get("all_days"), found.get("of_its_own")) == (None,) * 3
    assert (found["actions"], found["assignments"]) == ([], 0)
    assert found["alert"] == "dcr-sentinelone-rows-dropped"
    assert found["endpoint"] == "https://own"
    assert found["query"] == parser_file().read_text()


def test_everything_said(module: Path) -> None:
    """A variable has no effect, or another one."""
    found = evaluate(
        module,
        workspace_resource_id=WORKSPACE,
        sender_principal_id="abc",
        resource_group_id=ELSEWHERE,
        retention_in_days=90,
        total_retention_in_days=365,
        data_collection_endpoint_id="/dce",
        action_group_id="/group",
        dcr_name="mine",
    )
    assert found["group"] == ELSEWHERE
    assert (found["days"], found["all_days"], found["of_its_own"]) == (90, 365, "/dce")
    assert (found["actions"], found["assignments"]) == ([{"actionGroupId": "/group"}], 1)
    assert found["alert"] == "mine-rows-dropped"
    assert found["endpoint"] == "https://dce"
    role = "3913510d-42f4-4e42-8a64-420c390055eb"
    assert found["role"] == (
        f"/subscriptions/4-5-6/providers/Microsoft.Authorization/roleDefinitions/{role}"
    )
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found["assignment"])
    other = evaluate(module, workspace_resource_id=WORKSPACE, sender_principal_id="def")
    assert other["assignment"] != found["assignment"]
