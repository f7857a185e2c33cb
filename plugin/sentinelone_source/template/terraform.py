"""A deployment as Terraform configuration, for the azapi provider.

azapi takes the bodies that the other two formats have, word for word, and knows rules with an
endpoint of their own (`kind = "Direct"`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sentinelone_source.template.model import Said

if TYPE_CHECKING:
    from sentinelone_source.template.model import Deployment, Output, Parameter, Resource

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_PROVIDER = """\
terraform {
  required_providers {
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.5"
    }
  }
}"""
_GROUP = """\
locals {
  workspace_group_id = join("/", slice(split("/", var.workspace_resource_id), 0, 5))
  resource_group_id  = coalesce(var.resource_group_id, local.workspace_group_id)
}"""
_WORKSPACE = """\
data "azapi_resource" "workspace" {
  type        = "Microsoft.OperationalInsights/workspaces@2023-09-01"
  resource_id = var.workspace_resource_id
}"""
_CLIENT = 'data "azapi_client_config" "me" {}'
_ENDPOINT = """\
data "azapi_resource" "endpoint" {
  count                  = var.data_collection_endpoint_id == "" ? 0 : 1
  type                   = "Microsoft.Insights/dataCollectionEndpoints@2023-03-11"
  resource_id            = var.data_collection_endpoint_id
  response_export_values = ["properties.logsIngestion.endpoint"]
}"""
_KEPT = """\

  # Without the table its rows are gone too. `terraform state rm` lets go of it and keeps them.
  lifecycle {
    prevent_destroy = true
  }
"""


def write(deployment: Deployment, comment: str) -> str:
    """The file's text, as `terraform fmt` has it; the same deployment gives the same text."""
    parts = [f"# {comment}", _PROVIDER]
    parts += [_variable(p) for p in deployment.parameters if "terraform" in p.languages]
    if deployment.outputs:
        parts += [_GROUP, _WORKSPACE, _CLIENT, _ENDPOINT]
    parts += [_resource(resource) for resource in deployment.resources]
    parts += [_output(output) for output in deployment.outputs]
    return "\n\n".join(parts) + "\n"


def _variable(parameter: Parameter) -> str:
    kind = "number" if parameter.type == "int" else "string"
    members: dict[str, Any] = {"type": _raw(kind), "description": parameter.description}
    if parameter.default is not None:
        members["default"] = parameter.default
    return f'variable "{parameter.snake}" {{\n{_lines(members, 1)}}}'


def _output(output: Output) -> str:
    members = {"description": output.description, "value": output.value}
    return f'output "{output.name}" {{\n{_lines(members, 1)}}}'


def _resource(resource: Resource) -> str:
    members: dict[str, Any] = {}
    if resource.unless_empty:
        members["count"] = _raw(f'var.{resource.unless_empty.snake} == "" ? 0 : 1')
    members["type"] = f"{resource.type}@{resource.version}"
    members["parent_id"] = _raw(
        {
            "workspace": "var.workspace_resource_id",
            "group": "local.resource_group_id",
            "rule": "azapi_resource.rule.id",
        }[resource.home]
    )
    members["name"] = resource.name
    if resource.location is not None:
        members["location"] = resource.location
    members["body"] = {**resource.members, "properties": resource.properties}
    # The body was checked when this file was made, and azapi's schemas know no such rules.
    members["schema_validation_enabled"] = False
    members["ignore_null_property"] = True
    members["response_export_values"] = list(resource.exports)
    if waits := [f"azapi_resource.{key}" for key in resource.after if key != "rule"]:
        members["depends_on"] = _raw(f"[{', '.join(waits)}]")
    kept = _KEPT if resource.lasting else ""
    return f'resource "azapi_resource" "{resource.key}" {{\n{_lines(members, 1)}{kept}}}'


def _raw(text: str) -> Said:
    return Said("", "", text)


def _lines(members: dict[str, Any], depth: int) -> str:
    """Members, one a line, their equal signs one below the other as `terraform fmt` wants it."""
    written = [(_key(key), _value(value, depth)) for key, value in members.items()]
    lines, group = [], list[tuple[str, str]]()
    for key, value in [*written, ("", "\n")]:
        if "\n" not in value or value.startswith("<<"):
            group.append((key, value))
            continue
        width = max((len(name) for name, _ in group), default=0)
        lines += [f"{name:{width}} = {text}" for name, text in group]
        lines += [f"{key} = {value}"] if key else []
        group = []
    return "".join(f"{'  ' * depth}{line}\n" for line in lines)


def _value(value: Any, depth: int) -> str:
    if isinstance(value, Said):
        return value.terraform
    if isinstance(value, dict):
        return _object(value, depth)
    if isinstance(value, list):
        return _list(value, depth)
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _object(value: dict[str, Any], depth: int) -> str:
    if set(value) == {"name", "type"}:
        return f"{{ name = {_text(value['name'])}, type = {_text(value['type'])} }}"
    return f"{{\n{_lines(value, depth + 1)}{'  ' * depth}}}"


def _list(value: list[Any], depth: int) -> str:
    items = [_value(item, depth + 1) for item in value]
    if not any("\n" in item or "{" in item for item in items):
        return f"[{', '.join(items)}]"
    inner = "".join(f"{'  ' * (depth + 1)}{item},\n" for item in items)
    return f"[\n{inner}{'  ' * depth}]"


def _key(key: str) -> str:
    return key if _IDENTIFIER.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    """A string; text with line ends as a heredoc, where that is possible."""
    escaped = text.replace("${", "$${").replace("%{", "%%{")
    if text.endswith("\n") and all(line.strip() != "KQL" for line in text.splitlines()):
        return f"<<KQL\n{escaped}KQL"
    return json.dumps(escaped, ensure_ascii=False)
