"""The overlays as kubectl renders them, and a tenant and an Azure on loopback put into them."""

from __future__ import annotations

import copy
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

from kubernetes.kubelite.manifest import Manifest, Object

DEPLOY = Path(__file__).parents[2] / "deploy/kubernetes"
OVERLAYS = sorted(path.name for path in (DEPLOY / "overlays").iterdir())
CHARTS = ("fluent-bit", "vector")
"""The official charts for which deploy/kubernetes/charts has values."""
NAME = "sentinelone-source"
TOKEN = "s3cr3t-0f-the-c0ns0le"
CLIENT_SECRET = "s3cr3t-0f-the-app"
BROKER_SECRET = "s3cr3t-0f-the-br0ker"
SECRETS = {
    "sentinelone-token": TOKEN,
    "azure-client-secret": CLIENT_SECRET,
    "broker-secret": BROKER_SECRET,
}
"""The keys of the one Secret, which docs/how-to/kubernetes.md tells people to create."""


@cache
def _text(overlay: str) -> str:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl to render the overlays with")
    done = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / "overlays" / overlay],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(overlay: str) -> Manifest:
    """What `kubectl apply -k` would send, and the Secret that people create themselves."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": NAME, "namespace": NAME},
        "stringData": dict(SECRETS),
    }
    return Manifest([*Manifest.parse(_text(overlay)).objects, secret])


def configmap(manifest: Manifest, name: str) -> Object:
    """The data of a ConfigMap, whatever kustomize put behind its name."""
    [found] = [
        one
        for one in manifest.of("ConfigMap")
        if one["metadata"]["name"].rpartition("-")[0] == f"{NAME}-{name}"
    ]
    data = found["data"]
    assert isinstance(data, dict)
    return data


def chart_values(name: str) -> Object:
    """What is given to a chart."""
    read = yaml.safe_load((DEPLOY / "charts" / f"{name}.yaml").read_text())
    assert isinstance(read, dict)
    return read


def raw() -> list[Object]:
    """Every object that stands in a file of its own, before any patch."""
    return [
        one
        for path in sorted((DEPLOY / "base").glob("*.yaml"))
        if path.name != "kustomization.yaml"
        for one in Manifest.parse(path.read_text()).objects
    ]


def copied(manifest: Manifest) -> Manifest:
    """One to change."""
    return Manifest(copy.deepcopy(manifest.objects))
