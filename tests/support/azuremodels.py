"""Bodies held against the models of Azure's own management libraries, strictly."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, ForwardRef, Union, get_args, get_origin

import azure.mgmt.loganalytics.models as log_analytics
import azure.mgmt.monitor.models as monitor

MODELS = {
    "Microsoft.OperationalInsights/workspaces/tables": log_analytics.Table,
    "Microsoft.OperationalInsights/workspaces/savedSearches": log_analytics.SavedSearch,
    "Microsoft.Insights/dataCollectionRules": monitor.DataCollectionRuleResource,
    "Microsoft.Insights/metricAlerts": monitor.MetricAlertResource,
}
# The libraries at hand have no models for these two; the members are those of the REST reference.
PROPERTIES: dict[str, dict[str, type]] = {
    "Microsoft.Authorization/roleAssignments": {
        "roleDefinitionId": str,
        "principalId": str,
        "principalType": str,
    },
    "Microsoft.Insights/diagnosticSettings": {"workspaceId": str, "logs": list},
}
# Read-only in the models, and a template says them all the same.
_IDENTITY = {("name",), ("type",)}
# What a template says about a resource, and not to its body.
_TEMPLATE = {"apiVersion", "condition", "dependsOn", "scope"}
_PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float), "duration": str}


def mistakes(resource: dict[str, Any]) -> list[str]:
    """What the models do not know, miss, or have as something else; by its place."""
    body = {key: value for key, value in resource.items() if key not in _TEMPLATE}
    if known := PROPERTIES.get(resource["type"]):
        return list(_listed(body["properties"], known))
    return list(_model(MODELS[resource["type"]], body, resource["type"].rpartition("/")[2]))


def _listed(properties: dict[str, Any], known: dict[str, type]) -> Iterator[str]:
    yield from (f"properties.{key}: unknown" for key in properties.keys() - known.keys())
    yield from (f"properties.{key}: missing" for key in known.keys() - properties.keys())
    for key, kind in known.items():
        if not isinstance(properties.get(key, kind()), kind):
            yield f"properties.{key}: not {kind.__name__}"


def _model(model: Any, value: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: not an object"
    elif hasattr(model, "_attribute_map"):
        yield from _older(model, value, place)
    else:
        yield from _newer(model, value, place)


def _older(model: Any, value: dict[str, Any], place: str) -> Iterator[str]:
    """The models of azure-mgmt-monitor: wire names with dots for members of `properties`."""
    for attribute, kinds in getattr(model, "_subtype_map", {}).items():
        member = model._attribute_map[attribute]["key"].replace("\\.", ".")
        if (name := kinds.get(value.get(member))) and name != model.__name__:
            yield from _model(getattr(monitor, name), value, place)
            return
    keys = {
        tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", entry["key"])): attribute
        for attribute, entry in model._attribute_map.items()
        if entry["key"]
    }
    given = dict(_flat(value, {path[0] for path in keys if len(path) > 1}))
    for path, item in given.items():
        where = f"{place}.{'.'.join(path)}"
        if path not in keys:
            yield f"{where}: unknown"
        else:
            yield from _typed(model._attribute_map[keys[path]]["type"], item, where)
    rules = getattr(model, "_validation", {})
    for path, attribute in keys.items():
        if rules.get(attribute, {}).get("required") and path not in given:
            yield f"{place}.{'.'.join(path)}: missing"
        if rules.get(attribute, {}).get("readonly") and path in given and path not in _IDENTITY:
            yield f"{place}.{'.'.join(path)}: read-only"


def _flat(value: dict[str, Any], nested: set[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, member in value.items():
        if key in nested:
            yield from (((key, inner), item) for inner, item in member.items())
        else:
            yield (key,), member


def _typed(kind: str, value: Any, place: str) -> Iterator[str]:
    if _is_expression(value) or kind in ("object", "[object]"):
        return
    if kind.startswith("{"):
        for key, item in value.items():
            yield from _typed(kind[1:-1], item, f"{place}.{key}")
    elif kind.startswith("["):
        if not isinstance(value, list):
            yield f"{place}: not a list"
            return
        for number, item in enumerate(value):
            yield from _typed(kind[1:-1], item, f"{place}[{number}]")
    elif kind in _PLAIN:
        yield from _scalar(_PLAIN[kind], value, place)
    else:
        yield from _model(getattr(monitor, kind), value, place)


def _scalar(kind: Any, value: Any, place: str) -> Iterator[str]:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        yield f"{place}: {value!r} is not {kind}"


def _newer(model: Any, value: dict[str, Any], place: str) -> Iterator[str]:
    """The models of azure-mgmt-loganalytics: annotations, and wire names beside them."""
    fields = {
        field._rest_name: (field, annotation)
        for attribute, field in model({})._attr_to_rest_field.items()
        for annotation in [_annotation(model, attribute)]
    }
    for key, item in value.items():
        if key not in fields:
            yield f"{place}.{key}: unknown"
        elif fields[key][0]._visibility == ["read"] and key not in ("name", "type"):
            yield f"{place}.{key}: read-only"
        else:
            yield from _annotated(fields[key][1], item, f"{place}.{key}")


def _annotation(model: Any, attribute: str) -> Any:
    return next(c.__annotations__[attribute] for c in model.__mro__ if attribute in _hints(c))


def _hints(model: Any) -> dict[str, Any]:
    return getattr(model, "__annotations__", {})


def _annotated(annotation: Any, value: Any, place: str) -> Iterator[str]:
    if _is_expression(value):
        return
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [_resolved(part) for part in get_args(annotation) if part is not type(None)]
        # An enumeration beside `str` is what the service knows, not a wish.
        enums = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum)]
        known = [member.value for kind in enums for member in kind]
        if enums and value not in known:
            yield f"{place}: {value!r} is none of {known}"
        if not enums:
            yield from _annotated(kinds[0], value, place)
        return
    kind = _resolved(annotation)
    if get_origin(kind) is list:
        for number, item in enumerate(value):
            yield from _annotated(get_args(kind)[0], item, f"{place}[{number}]")
    elif kind.__module__.startswith("azure."):
        yield from _model(kind, value, place)
    else:
        yield from _scalar(kind, value, place)


def _resolved(kind: Any) -> Any:
    if isinstance(kind, ForwardRef):
        kind = kind.__forward_arg__
    if isinstance(kind, str):
        return getattr(log_analytics, kind.removeprefix("_models."))
    return kind


def _is_expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("[")
