"""A deployment as a Bicep file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sentinelone_source.template.model import Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentinelone_source.template.model import Deployment, Parameter, Resource

_WORKSPACE = """\
resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: last(split(workspaceResourceId, '/'))
}"""
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def write(deployment: Deployment, comment: str) -> str:
    """The file's text; the same deployment gives the same text."""
    parts = [f"// {comment}", "targetScope = 'resourceGroup'"]
    parts += [_parameter(p) for p in deployment.parameters if "bicep" in p.languages]
    if any(resource.home == "workspace" for resource in deployment.resources):
        parts.append(_WORKSPACE)
    parts += [_resource(resource) for resource in deployment.resources]
    parts += [
        f"@description({_text(output.description)})\n"
        f"output {output.name} string = {output.value.bicep}"
        for output in deployment.outputs
    ]
    return "\n\n".join(parts) + "\n"


def _parameter(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f" = {_value(parameter.default, 0)}"
    return (
        f"@description({_text(parameter.description)})\n"
        f"param {parameter.name} {parameter.type}{default}"
    )


def _resource(resource: Resource) -> str:
    condition = f"if (!empty({resource.unless_empty.name})) " if resource.unless_empty else ""
    body = "\n".join(f"  {line}" for line in _members(resource))
    return (
        f"resource {resource.key} '{resource.type}@{resource.version}' = {condition}{{\n{body}\n}}"
    )


def _members(resource: Resource) -> Iterator[str]:
    if resource.home == "workspace":
        yield "parent: workspace"
    if resource.home == "rule":
        yield "scope: rule"
    yield f"name: {_value(resource.name, 1)}"
    if resource.location is not None:
        yield f"location: {_value(resource.location, 1)}"
    for key, value in resource.members.items():
        yield f"{key}: {_value(value, 1)}"
    yield f"properties: {_value(resource.properties, 1)}"
    # What lives on the rule, or names it, waits for it by itself.
    if waits := [key for key in resource.after if key != "rule"]:
        yield f"dependsOn: [{', '.join(waits)}]"


def _value(value: Any, depth: int) -> str:
    if isinstance(value, Said):
        return value.bicep
    if isinstance(value, dict):
        return _object(value, depth)
    if isinstance(value, list):
        return _list(value, depth)
    if isinstance(value, str):
        return _text(value)
    return str(value).lower()


def _object(value: dict[str, Any], depth: int) -> str:
    members = [f"{_key(key)}: {_value(item, depth + 1)}" for key, item in value.items()]
    if set(value) == {"name", "type"}:
        return f"{{ {', '.join(members)} }}"
    inner = "".join(f"{'  ' * (depth + 1)}{member}\n" for member in members)
    return f"{{\n{inner}{'  ' * depth}}}"


def _list(value: list[Any], depth: int) -> str:
    inner = "".join(f"{'  ' * (depth + 1)}{_value(item, depth + 1)}\n" for item in value)
    return f"[\n{inner}{'  ' * depth}]"


def _key(key: str) -> str:
    return key if _IDENTIFIER.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    """A string; long text with line ends as it is, where that is possible."""
    if "\n" in text and "'''" not in text and not text.endswith("'"):
        return f"'''\n{text}'''"
    return "'" + text.translate(_ESCAPED).replace("${", "\\${") + "'"
