"""ARM and Bicep templates in one form, loops run and other expressions replaced by a mark."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycep import BicepParser

EXPRESSION = "<expression>"
DEPLOY = Path(__file__).parents[2] / "deploy/azure"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Parsed:
    """One resource. `type` has the version; `body` is all that Azure gets beside name and place."""

    type: str
    name: str
    location: str | None
    conditional: bool
    body: dict[str, Any]


@dataclass(frozen=True)
class Template:
    """A parsed template. A parameter has a description and a default, None where there is none."""

    parameters: dict[str, tuple[str, Any]]
    resources: tuple[Parsed, ...]
    outputs: tuple[str, ...]

    def of(self, kind: str) -> list[Parsed]:
        """The resources whose type ends like this."""
        return [r for r in self.resources if r.type.partition("@")[0].endswith(f"/{kind}")]


def parse(language: str, text: str) -> Template:
    """Read a template in ARM's or Bicep's language."""
    return {"arm": _arm, "bicep": _bicep}[language](text)


def _resource(kind: str, config: dict[str, Any], *, conditional: bool) -> Parsed:
    body: dict[str, Any] = {
        key: config[key] for key in ("kind", "etag", "properties") if key in config
    }
    return Parsed(kind, config["name"], config.get("location"), conditional, body)


def _arm(text: str) -> Template:
    document = json.loads(text)
    child = re.compile(r"\[format\('\{0\}/([^']+)', variables\('workspaceName'\)\)\]")
    resources = []
    for given in document["resources"]:
        found = child.fullmatch(given["name"])
        resource = _marked(given) | ({"name": found[1]} if found else {})
        kind = f"{resource['type']}@{resource['apiVersion']}"
        resources.append(_resource(kind, resource, conditional="condition" in resource))
    parameters = {
        key: (p["metadata"]["description"], _marked(p.get("defaultValue")))
        for key, p in document["parameters"].items()
    }
    return Template(parameters, tuple(resources), tuple(document["outputs"]))


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return EXPRESSION if isinstance(value, str) and value.startswith("[") else value


def _bicep(text: str) -> Template:
    document: Any = BicepParser().parse(text=text)
    scope: dict[str, Any] = dict.fromkeys(document["parameters"], EXPRESSION)
    for name, variable in document.get("variables", {}).items():
        scope[name] = _value(variable["value"], scope)
    resources = [
        parsed
        for resource in document["resources"].values()
        if not resource["existing"]
        for parsed in _resources(resource, scope)
    ]
    parameters = {
        key: (parameter["decorators"][0]["argument"], _value(parameter["default"], scope))
        for key, parameter in document["parameters"].items()
    }
    return Template(parameters, tuple(resources), tuple(document.get("outputs", ())))


def _resources(resource: dict[str, Any], scope: dict[str, Any]) -> list[Parsed]:
    """A resource, or all of a loop."""
    kind, config = f"{resource['type']}@{resource['api_version']}", resource["config"]
    if "loop_type" in config:
        return [_resource(kind, one, conditional=False) for one in _value(config, scope)]
    one = _value(config.get("config", config), scope)
    return [_resource(kind, one, conditional="condition" in config)]


def _value(node: Any, scope: dict[str, Any]) -> Any:
    """What a node of pycep's tree stands for. It gives a symbol as the same text as a string."""
    if isinstance(node, list):
        return [_value(item, scope) for item in node]
    if isinstance(node, str):
        return _string(node, scope)
    return _object(node, scope) if isinstance(node, dict) else node


def _object(node: dict[str, Any], scope: dict[str, Any]) -> Any:
    if "loop_type" in node:
        loop = node["loop_type"]["detail"]
        items = _value(loop["array_name"], scope)
        return [_value(node["config"], {**scope, loop["item_name"]: item}) for item in items]
    if set(node) == {"function"}:
        function = node["function"]
        return _function(function["type"], list(function["parameters"].values()), scope)
    if set(node) == {"operator"} and isinstance(node["operator"], dict):
        return _operator(node["operator"]["type"], node["operator"]["operands"], scope)
    return {key.strip("'"): _value(item, scope) for key, item in node.items()}


def _function(name: str, arguments: list[Any], scope: dict[str, Any]) -> Any:
    if name in ("load_json_content", "load_text_content"):
        content = (DEPLOY / arguments[0]).read_text()
        return json.loads(content) if name == "load_json_content" else content
    if name == "to_lower":
        return _value(arguments[0], scope).lower()
    if name not in ("map", "toObject"):
        return EXPRESSION
    items, *lambdas = arguments
    bodies = [(one["detail"]["var_1"], one["detail"]["expression"]) for one in lambdas]
    results = [
        [_value(body, {**scope, variable: item}) for variable, body in bodies]
        for item in _value(items, scope)
    ]
    return dict(results) if name == "toObject" else [result for [result] in results]


def _operator(kind: str, operands: dict[str, Any], scope: dict[str, Any]) -> Any:
    if kind == "minus":
        return -operands["integer_value"]
    if kind == "property_accessor" and isinstance(operands["operand_1"], str):
        found = scope.get(operands["operand_1"])
        if isinstance(found, dict):
            return found[operands["operand_2"]]
    return EXPRESSION


def _string(text: str, scope: dict[str, Any]) -> Any:
    if text in scope:
        return scope[text]
    if "\n" in text:
        return text
    known = re.sub(
        r"\$\{(\w+)\.(\w+)\}",
        lambda found: scope[found[1]][found[2]] if found[1] in scope else found[0],
        text,
    )
    if re.search(r"(?<!\\)\$\{", known):
        return EXPRESSION
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), known)
