"""The Terraform template, run by Terraform with its built-in `terraform_data` in azapi's place."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

_ANSWERS = {
    "azapi_resource.rule.output.properties.endpoints.logsIngestion": '"https://own"',
    "azapi_resource.rule.output.properties.immutableId": '"dcr-1"',
    "data.azapi_resource.endpoint[0].output.properties.logsIngestion.endpoint": '"https://dce"',
    "data.azapi_resource.workspace.location": '"westeurope"',
    "data.azapi_client_config.me.tenant_id": '"tenant"',
}
_BLOCK = re.compile(r'^resource "azapi_resource" "(\w+)" \{\n(.*?)^\}$', re.MULTILINE | re.DOTALL)
_OTHERS = re.compile(r"^(?:terraform|data) .*?(?:^\}|\{\})$", re.MULTILINE | re.DOTALL)
_META = re.compile(r"^  (?:for_each|count|depends_on) .*\n", re.MULTILINE)
_LIFECYCLE = re.compile(r"^  lifecycle \{.*?^  \}\n", re.MULTILINE | re.DOTALL)


class Deployed(NamedTuple):
    """What Terraform made of a template: arguments of each resource, by address, and outputs."""

    resources: dict[str, dict[str, Any]]
    outputs: dict[str, Any]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The resources whose type ends like this, in the order of their addresses."""
        found = sorted(self.resources.items())
        return [r for _, r in found if r["type"].partition("@")[0].endswith(f"/{kind}")]


def run(text: str, folder: Path, **variables: Any) -> Deployed:
    """Apply a template in a folder; skips where there is no Terraform."""
    if shutil.which("terraform") is None:
        pytest.skip("no terraform here")
    for name, answer in _ANSWERS.items():
        text = text.replace(name, answer)
    text = _BLOCK.sub(_stand_in, _OTHERS.sub("", text))
    (folder / "main.tf").write_text(text.replace("azapi_resource.", "terraform_data."))
    environ = {f"TF_VAR_{name}": str(value) for name, value in variables.items()}
    for arguments in ("init -input=false", "apply -input=false -auto-approve", "show -json"):
        done = subprocess.run(
            ["terraform", *arguments.split(), "-no-color"],
            cwd=folder,
            env=os.environ | environ | {"TF_CLI_CONFIG_FILE": os.devnull},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
    values = json.loads(done.stdout)["values"]
    resources = {r["address"]: r["values"]["input"] for r in values["root_module"]["resources"]}
    return Deployed(resources, {k: v["value"] for k, v in values.get("outputs", {}).items()})


def _stand_in(block: re.Match[str]) -> str:
    body = _LIFECYCLE.sub("", block[2])
    meta, body = "".join(_META.findall(body)), _META.sub("", body)
    return f'resource "terraform_data" "{block[1]}" {{\n{meta}  input = {{\n{body}  }}\n}}'
