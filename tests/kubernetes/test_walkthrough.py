"""docs/kubernetes.md: what it shows can be copied, and what it lists is all there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from kubernetes.kubelite.manifest import Manifest, containers
from kubernetes.overlays import DEPLOY, OVERLAYS, SECRETS, rendered
from kubernetes.settings import container_of, content
from kubernetes.test_overlays import CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable

    Render = Callable[[str], Manifest]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/kubernetes.md").read_text()
IMAGE = "registry.example.com/sentinelone-source:0.1.0"


def example(name: str) -> str:
    """A YAML block of the page, by its first line."""
    [found] = re.findall(
        rf"^```yaml\n# {re.escape(name)}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE
    )
    assert isinstance(found, str)
    return found


@pytest.fixture
def deployment(tmp_path: Path) -> Render:
    """Renders a kustomization in a folder of its own beside a clone, as the page says."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl to render with")
    for part in ("deploy/kubernetes", "fluent-bit", "vector"):
        shutil.copytree(ROOT / part, tmp_path / "sentinelone-source" / part)
    folder = tmp_path / "acme"
    folder.mkdir()
    shutil.copy(DEPLOY / "base/config.toml", folder)
    shutil.copy(ROOT / "vector/http.yaml", folder / "vector.yaml")
    (folder / "threats.toml").write_text('table = "SentinelOneThreats_CL"\n')
    [environment] = re.findall(r"^```sh\n(DCE_URL=.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (folder / "azure.env").write_text(environment)

    def render(text: str) -> Manifest:
        (folder / "kustomization.yaml").write_text(text)
        done = subprocess.run(
            ["kubectl", "kustomize", folder], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        [secret] = rendered("fluent-bit-client-secret").of("Secret")
        return Manifest([*Manifest.parse(done.stdout).objects, secret])

    return render


@pytest.mark.parametrize("shipper", ["fluent-bit", "vector"])
def test_kustomizations(deployment: Render, shipper: str) -> None:
    """The page's deployment does not render, or what is rendered does not hold together."""
    manifest = deployment(example(f"kustomization: {shipper}"))
    for container in containers(manifest.pod):
        ours = container["name"] != "shipper"
        assert (container["image"] == IMAGE) is ours
        if ours:
            container["image"] = "sentinelone-source"
    assert [problem for check in CHECKS for problem in check(manifest)] == []


@pytest.mark.parametrize("shipper", ["fluent-bit", "vector"])
def test_workload_identity(deployment: Render, shipper: str) -> None:
    """The account keeps the identity of the example, and gets no token."""
    base = example(f"kustomization: {shipper}").replace("client-secret", "workload-identity")
    manifest = deployment(base + example("patch: workload identity"))
    [account] = manifest.of("ServiceAccount")
    [identity] = account["metadata"]["annotations"].values()
    assert identity.startswith("8d3b1c2e")


def test_patches(deployment: Render) -> None:
    """A patch of the page changes nothing, or something else."""
    base = example("kustomization: fluent-bit")
    manifest = deployment(base + example("patch: another token"))
    [secret] = manifest.of("Secret")
    secret["stringData"] = {**SECRETS, "sentinelone-token-emea": "emea"}
    source = container_of(manifest, "source")
    assert source is not None
    assert content(manifest, source, "/run/secrets/sentinelone/emea") == b"emea"
    assert content(manifest, source, "/run/secrets/sentinelone/token")
    manifest = deployment(base + example("patch: access mode"))
    assert manifest.claims[0]["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_mappings(deployment: Render) -> None:
    """Mapping files of one's own end up in a ConfigMap that the pod does not mount."""
    base = example("kustomization: fluent-bit")
    more = example("generator: mappings").partition("configMapGenerator:\n")[2]
    manifest = deployment(base + more)
    source = container_of(manifest, "source")
    assert source is not None
    assert content(manifest, source, "/etc/sentinelone-source-mappings/threats.toml")


def test_monitor() -> None:
    """The monitor of the page watches ports that the Service does not have."""
    monitor = yaml.safe_load(example("object: monitor"))
    watched = {one["port"] for one in monitor["spec"]["endpoints"]}
    for overlay in OVERLAYS:
        [service] = rendered(overlay).of("Service")
        assert watched == {port["name"] for port in service["spec"]["ports"]}
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        assert wanted <= service["metadata"]["labels"].items()


def test_lists() -> None:
    """An overlay, a key of the Secret or an argument of the image that the page does not name."""
    rows = set(re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE))
    assert set(OVERLAYS) <= rows
    assert set(SECRETS) <= rows
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    for argument in re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE):
        assert f"`{argument}`" in PAGE


def test_paths() -> None:
    """A command of the page names a file that is not there."""
    named = re.findall(
        r"(?<![\w/])(?:sentinelone-source/)?((?:deploy|vector|fluent-bit)/\S+)", PAGE
    )
    found = [path.rstrip("`,.:;") for path in named if not path.startswith("vector/vector")]
    assert len(found) > 10
    assert [path for path in found if not (ROOT / path).exists()] == []
