"""The three formats of a template as one: parsed, with every expression replaced by a mark."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import hcl2
from pycep import BicepParser

EXPRESSION = "<expression>"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_BLOCK = {"__is_block__", "__comments__"}


@dataclass(frozen=True)
class Parsed:
    """What every format says about one resource.

    Attributes:
        type: with the version, as Bicep and azapi write it.
        name: a literal, or the mark.
        body: all that Azure is sent beside name and location.
        after: the resources of the template that it names as its predecessors, by name or symbol.
    """

    type: str
    name: str
    location: str | None
    conditional: bool
    body: dict[str, Any]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """A parsed template."""

    parameters: dict[str, Any]
    resources: tuple[Parsed, ...]
    outputs: tuple[str, ...]

    def of(self, kind: str) -> list[Parsed]:
        """The resources whose type ends like this."""
        return [r for r in self.resources if r.type.partition("@")[0].endswith(f"/{kind}")]


def parse(language: str, text: str) -> Template:
    """Read a template of any of the three languages."""
    return {"arm": _arm, "bicep": _bicep, "terraform": _terraform}[language](text)


def _arm(text: str) -> Template:
    document = json.loads(text)
    resources = []
    for resource in document["resources"]:
        name = resource["name"]
        if child := re.fullmatch(
            r"\[format\('\{0\}/([^']+)', variables\('workspaceName'\)\)\]", name
        ):
            name = child[1]
        resources.append(
            Parsed(
                type=f"{resource['type']}@{resource['apiVersion']}",
                name=_marked(name),
                location=_marked(resource.get("location")),
                conditional="condition" in resource,
                body={
                    k: _marked(resource[k]) for k in ("kind", "etag", "properties") if k in resource
                },
                after=tuple(_last_name(item) for item in resource.get("dependsOn", [])),
            )
        )
    parameters = {key: _marked(p.get("defaultValue")) for key, p in document["parameters"].items()}
    return Template(parameters, tuple(resources), tuple(document["outputs"]))


def _last_name(expression: str) -> str:
    name: str = re.findall(r"'([^']+)'", expression)[-1]
    return name


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, str) and value.startswith("["):
        return value[1:] if value.startswith("[[") else EXPRESSION
    return value


def _bicep(text: str) -> Template:
    document: Any = BicepParser().parse(text=text)
    symbols = set(document["parameters"])
    resources = []
    for resource in document["resources"].values():
        if resource["existing"]:
            continue
        conditional = "condition" in resource["config"]
        config = _literal(
            resource["config"]["config"] if conditional else resource["config"], symbols
        )
        resources.append(
            Parsed(
                type=f"{resource['type']}@{resource['api_version']}",
                name=config["name"],
                location=config.get("location"),
                conditional=conditional,
                body={k: config[k] for k in ("kind", "etag", "properties") if k in config},
                after=tuple(config.get("dependsOn", ())),
            )
        )
    parameters = {
        key: _literal(parameter["default"], symbols)
        for key, parameter in document["parameters"].items()
    }
    return Template(parameters, tuple(resources), tuple(document.get("outputs", ())))


def _literal(value: Any, symbols: set[str]) -> Any:
    """pycep gives a symbol as the same text as a string: what is a parameter's name is one."""
    if isinstance(value, dict):
        if set(value) in ({"operator"}, {"function"}) and isinstance(
            next(iter(value.values())), dict
        ):
            operation = value.get("operator", {})
            negative = operation.get("type") == "minus"
            return -operation["operands"]["integer_value"] if negative else EXPRESSION
        return {key.strip("'"): _literal(item, symbols) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item, symbols) for item in value]
    return _string(value, symbols) if isinstance(value, str) else value


def _string(value: str, symbols: set[str]) -> str:
    if value in symbols or ("\n" not in value and re.search(r"(?<!\\)\$\{", value)):
        return EXPRESSION
    if "\n" in value:
        return value
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), value)


def _terraform(text: str) -> Template:
    document: Any = hcl2.loads(text)
    resources = []
    for block in document["resource"]:
        [resource] = (r for named in block.values() for r in named.values())
        plain = _plain(resource)
        resources.append(
            Parsed(
                type=plain["type"],
                name=plain["name"],
                location=plain.get("location"),
                conditional="count" in plain,
                body=plain["body"],
                after=tuple(
                    item.removeprefix("${azapi_resource.").removesuffix("}")
                    for item in resource.get("depends_on", [])
                ),
            )
        )
    parameters = {
        key.strip('"'): _plain(block).get("default")
        for variable in document["variable"]
        for key, block in variable.items()
    }
    outputs = [key.strip('"') for output in document.get("output", []) for key in output]
    return Template(parameters, tuple(resources), tuple(outputs))


def _plain(value: Any) -> Any:
    """hcl2 leaves the quotes around strings; what has none is an expression."""
    if isinstance(value, dict):
        return {key.strip('"'): _plain(item) for key, item in value.items() if key not in _BLOCK}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, str):
        return value
    if heredoc := re.fullmatch(r'"<<KQL\n(.*\n)KQL"', value, flags=re.DOTALL):
        return _unescaped(heredoc[1])
    if not value.startswith('"') or re.search(r"(?<!\$)\$\{", value):
        return EXPRESSION
    return _unescaped(json.loads(value))


def _unescaped(text: str) -> str:
    return text.replace("$${", "${").replace("%%{", "%{")
