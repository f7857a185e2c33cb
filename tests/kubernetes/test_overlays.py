"""Every overlay as kubectl renders it: everything in it resolves, and nothing is too open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from kubernetes import hardening, references, settings
from kubernetes.kubelite.manifest import Manifest
from kubernetes.overlays import DEPLOY, OVERLAYS, configmap, raw, rendered
from kubernetes.settings import container_of

Check = Callable[[Manifest], Iterator[str]]

ROOT = Path(__file__).parents[2]
VERSIONS = ("1.29", "1.32", "1.37")
CHECKS: list[Check] = [
    check
    for module in (references, hardening, settings)
    for name, check in vars(module).items()
    if getattr(check, "__module__", "") == module.__name__
    and not name.startswith("_")
    and getattr(check, "__annotations__", {}).get("return") == "Iterator[str]"
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_schemas(overlay: str, version: str) -> None:
    """Each overlay is valid for each version of Kubernetes, and has no unknown key."""
    for one in rendered(overlay).objects:
        kubernetes_validate.validate(one, version, strict=True)


def test_cluster() -> None:
    """The workflow's cluster gets an overlay with a console in its pod that the source polls."""
    manifest = rendered(str(ROOT / "tests/kubernetes/cluster"))
    console, source = container_of(manifest, "console"), container_of(manifest, "source")
    assert console["args"] == ["demo", "console"]
    [polled] = settings.settings_of(manifest, source).consoles
    assert polled.url == "http://127.0.0.1:8081"
    assert [*settings.programs(manifest), *hardening.single(manifest)] == []
    for one in manifest.objects:
        kubernetes_validate.validate(one, "1.37", strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_schemas_without_kubectl(version: str) -> None:
    """The files that overlays are rendered from are valid, also where there is no kubectl."""
    for one in raw():
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.__module__}.{check.__name__}")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_checks(overlay: str, check: Check) -> None:
    """No check finds a mistake in an overlay."""
    assert list(check(rendered(overlay))) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_same_shipper_configuration(overlay: str) -> None:
    """The pod's shipper has the tested configuration, save for Vector's credentials."""
    shipped = configmap(rendered(overlay), "shipper")
    if overlay.startswith("fluent-bit"):
        for name in ("http.yaml", "secret-file-http.yaml"):
            assert shipped[name] == (ROOT / "fluent-bit" / name).read_text()
        return
    ours, theirs = (
        yaml.safe_load(text)
        for text in (shipped["vector.yaml"], (ROOT / "vector/http.yaml").read_text())
    )
    if overlay == "vector-workload-identity":
        theirs.pop("secret")
        for one in (ours, theirs):
            for sink in one["sinks"].values():
                sink.pop("auth", None)
    assert ours == theirs


def test_workload_identity_of_vector() -> None:
    """With workload identity Vector's sinks have that credential, and no client secret."""
    sinks = yaml.safe_load(
        configmap(rendered("vector-workload-identity"), "shipper")["vector.yaml"]
    )
    azure = [one for one in sinks["sinks"].values() if one["type"] == "azure_logs_ingestion"]
    assert {one["auth"]["azure_credential_kind"] for one in azure} == {"workload_identity"}
    assert {len(one["auth"]) for one in azure} == {1}


@pytest.mark.parametrize("overlay", [name for name in OVERLAYS if name.startswith("vector")])
def test_additional_sink_of_vector(overlay: str) -> None:
    """pod.yaml adds sinks of new names, with inputs that exist, at the pod's port."""
    shipped = configmap(rendered(overlay), "shipper")
    main, more = (yaml.safe_load(shipped[name]) for name in ("vector.yaml", "pod.yaml"))
    assert set(more) == {"sinks"}
    assert not set(more["sinks"]) & set(main["sinks"])
    shipper = container_of(rendered(overlay), "shipper")
    [port] = [one["containerPort"] for one in shipper["ports"]]
    for sink in more["sinks"].values():
        assert set(sink["inputs"]) <= {*main["sources"], *main["transforms"]}
        assert sink["address"] == f"0.0.0.0:{port}"


def test_versions_of_shippers() -> None:
    """Each shipper is new enough for its configuration."""
    found = {}
    for name in ("fluent-bit", "vector"):
        shipper = container_of(rendered(f"{name}-client-secret"), "shipper")
        numbers = re.search(r":(\d+)\.(\d+)", shipper["image"])
        assert numbers is not None
        found[name] = tuple(map(int, numbers.groups()))
    assert found["fluent-bit"] >= (5, 1)
    assert found["vector"] >= (0, 58)


def test_every_file_is_used() -> None:
    """Every file of an overlay is named by a kustomization."""
    texts = [path.read_text() for path in DEPLOY.rglob("kustomization.yaml")]
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.name != "kustomization.yaml" and path.parent.name != "charts":
            assert any(path.name in text for text in texts), path
