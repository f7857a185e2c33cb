"""What stands in the manifests: objects by kind and name, the workload, its pod."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import yaml

Object = dict[str, Any]

WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet", "Pod")
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}


class Manifest:
    """The objects of one deployment."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self.objects = [one for one in objects if one]

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Read a YAML stream."""
        return cls(yaml.safe_load_all(text))

    def of(self, *kinds: str) -> list[Object]:
        """All objects of these kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def find(self, kind: str, name: str) -> Object | None:
        """The object of this name, if there is one."""
        return next((one for one in self.of(kind) if one["metadata"]["name"] == name), None)

    @property
    def workload(self) -> Object:
        """The one object that makes pods."""
        [one] = self.of(*WORKLOADS)
        return one

    @property
    def pod(self) -> Object:
        """The workload's pod, with `metadata` and `spec`."""
        workload = self.workload
        template = workload if workload["kind"] == "Pod" else workload["spec"]["template"]
        assert isinstance(template, dict)
        return template

    def data(self, kind: str, name: str, *, optional: bool = False) -> dict[str, bytes]:
        """The keys of a ConfigMap or Secret.

        Raises:
            KeyError: it is not there, and not optional.
        """
        found = self.find(kind, name)
        if found is None:
            if optional:
                return {}
            raise KeyError(f"{kind} {name}")
        plain = {key: text.encode() for key, text in (found.get("stringData") or {}).items()}
        for key, text in (found.get("data") or {}).items():
            plain[key] = base64.b64decode(text) if kind == "Secret" else text.encode()
        return plain


def containers(pod: Object) -> list[Object]:
    """All containers, those that start first first."""
    spec = pod["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def is_sidecar(container: Object) -> bool:
    """Whether an init container is one that stays."""
    return container.get("restartPolicy") == "Always"


def quantity(text: object) -> int:
    """An amount of bytes."""
    amount = str(text)
    for unit, factor in _UNITS.items():
        if amount.endswith(unit):
            return int(float(amount.removesuffix(unit)) * factor)
    return int(amount)
