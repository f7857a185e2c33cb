"""A deployment as an ARM template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sentinelone_source.template.model import Said

if TYPE_CHECKING:
    from sentinelone_source.template.model import Deployment, Parameter, Resource

_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_WORKSPACE = "variables('workspaceName')"


def write(deployment: Deployment, comment: str) -> str:
    """The template's text; the same deployment gives the same text."""
    resources = {resource.key: resource for resource in deployment.resources}
    document = {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "metadata": {"description": comment},
        "parameters": {
            parameter.name: _parameter(parameter)
            for parameter in deployment.parameters
            if "arm" in parameter.languages
        },
        "variables": _variables(deployment),
        "resources": [_resource(resource, resources) for resource in deployment.resources],
        "outputs": {
            output.name: {
                "type": "string",
                "metadata": {"description": output.description},
                "value": _value(output.value),
            }
            for output in deployment.outputs
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _variables(deployment: Deployment) -> dict[str, str]:
    if not any(resource.home == "workspace" for resource in deployment.resources):
        return {}
    return {"workspaceName": "[last(split(parameters('workspaceResourceId'), '/'))]"}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    written: dict[str, Any] = {"type": parameter.type}
    if parameter.default is not None:
        written["defaultValue"] = _value(parameter.default)
    written["metadata"] = {"description": parameter.description}
    return written


def _resource(resource: Resource, known: dict[str, Resource]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if resource.unless_empty:
        written["condition"] = f"[not(empty({resource.unless_empty.value.arm}))]"
    written |= {
        "type": resource.type,
        "apiVersion": resource.version,
        "name": _name(resource),
    }
    if resource.home == "rule":
        written["scope"] = f"[{_id(known['rule'])}]"
    if resource.location is not None:
        written["location"] = _value(resource.location)
    if resource.after:
        written["dependsOn"] = [f"[{_id(known[key])}]" for key in resource.after]
    written |= {key: _value(value) for key, value in resource.members.items()}
    written["properties"] = _value(resource.properties)
    return written


def _name(resource: Resource) -> Any:
    if resource.home == "workspace":
        return f"[format('{{0}}/{resource.name}', {_WORKSPACE})]"
    return _value(resource.name)


def _id(resource: Resource) -> str:
    name = resource.name.arm if isinstance(resource.name, Said) else f"'{resource.name}'"
    parent = f"{_WORKSPACE}, " if resource.home == "workspace" else ""
    return f"resourceId('{resource.type}', {parent}{name})"


def _value(value: Any) -> Any:
    """JSON, with expressions in brackets; text that only looks like one is escaped."""
    if isinstance(value, Said):
        return f"[{value.arm}]"
    if isinstance(value, dict):
        return {key: _value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, str) and value.startswith("["):
        return f"[{value}"
    return value
