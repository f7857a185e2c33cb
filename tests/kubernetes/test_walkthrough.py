"""docs/how-to/kubernetes.md: what it shows can be typed, and what it lists is all there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kubernetes.kubelite.manifest import Manifest, containers
from kubernetes.overlays import CHARTS, DEPLOY, OVERLAYS, SECRETS, chart_values, rendered
from kubernetes.settings import container_of, content, settings_of
from kubernetes.test_overlays import CHECKS
from support.pages import blocks

Render = Callable[..., Manifest]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/kubernetes.md").read_text()
IMAGE = "registry.example.com/sentinelone-source:0.1.0"
CLIENT = "22222222-2222-2222-2222-222222222222"


def commands() -> list[str]:
    """Everything that the page types, a command a line."""
    shown = "".join(blocks(PAGE, "console")).replace("\\\n", "")
    return [line.removeprefix("$ ") for line in shown.splitlines() if line.startswith("$ ")]


def example(shipper: str) -> str:
    """The kustomization.yaml that the page copies."""
    return (DEPLOY / "examples" / shipper / "kustomization.yaml").read_text()


def with_options(text: str) -> str:
    """The same with all of its options."""
    return re.sub(r"^  #(?=- |  )", "  ", text, flags=re.MULTILINE)


@pytest.fixture
def deploy(tmp_path: Path) -> Render:
    """Types step 2 for a shipper beside a clone and renders it."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl to render with")
    for part in ("deploy/kubernetes", "fluent-bit", "vector"):
        shutil.copytree(ROOT / part, tmp_path / "sentinelone-source" / part)

    def deploy(shipper: str, text: str = "") -> Manifest:
        step = PAGE.partition("## 2. ")[2].partition("## 3. ")[0]
        shown = blocks(step, "console")
        [block] = [block for block in shown if f"examples/{shipper} acme" in block]
        for line in block.splitlines():
            if line.startswith("$ cp "):
                subprocess.run(line.removeprefix("$ ").split(), cwd=tmp_path, check=True)
        folder = tmp_path / "acme"
        with (folder / "config.toml").open("a") as config:
            config.writelines(blocks(PAGE, "toml"))
        (folder / "threats.toml").write_text('table = "SentinelOneThreats_CL"\n')
        if text:
            (folder / "kustomization.yaml").write_text(text)
        done = subprocess.run(
            ["kubectl", "kustomize", folder], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        [secret] = rendered("fluent-bit-client-secret").of("Secret")
        return Manifest([*Manifest.parse(done.stdout).objects, secret])

    return deploy


@pytest.mark.parametrize("shipper", ["fluent-bit", "vector"])
def test_typed(deploy: Render, shipper: str) -> None:
    """What the page types renders, and what is rendered holds together."""
    manifest = deploy(shipper)
    for container in containers(manifest.pod):
        is_source = container["name"] != "shipper"
        assert (container["image"] == IMAGE) is is_source
        if is_source:
            container["image"] = "sentinelone-source"
    assert [problem for check in CHECKS for problem in check(manifest)] == []
    source = container_of(manifest, "source")
    assert settings_of(manifest, source).is_enabled("alertsv2", by_default=False)


@pytest.mark.parametrize("shipper", ["fluent-bit", "vector"])
def test_options(deploy: Render, shipper: str) -> None:
    """Every option of the example changes what it says, beside all others."""
    text = with_options(example(shipper)).replace("client-secret #", "workload-identity #")
    manifest = deploy(shipper, text.replace("value: 5Gi", "value: 20Gi"))
    [account], [claim] = manifest.of("ServiceAccount"), manifest.of("PersistentVolumeClaim")
    assert list(account["metadata"]["annotations"].values()) == [CLIENT]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    [secret] = manifest.of("Secret")
    secret["stringData"] = {**SECRETS, "sentinelone-token-emea": "emea"}
    source = container_of(manifest, "source")
    assert content(manifest, source, "/run/secrets/sentinelone/emea") == b"emea"
    assert content(manifest, source, "/run/secrets/sentinelone/token")
    assert content(manifest, source, "/etc/sentinelone-source-mappings/threats.toml")


def test_one_complete_file() -> None:
    """The page shows a whole kustomization and no piece that repeats a key when appended."""
    shown = [
        block for block in blocks(PAGE, "yaml") if not block.startswith(("# object", "# values"))
    ]
    assert shown == [example("fluent-bit")]
    for shipper in ("fluent-bit", "vector"):
        keys = re.findall(r"^(\w+):", with_options(example(shipper)), flags=re.MULTILINE)
        assert len(keys) == len(set(keys))


def test_namespaces() -> None:
    """Every command says in which namespace, or works on the whole folder or on no namespace."""
    free = r"kustomize|(create|label) namespace|(apply|delete) --kustomize|repo add|replace --file"
    for line in commands():
        for part in line.split(" | "):
            if part.startswith(("kubectl", "helm")):
                assert "--namespace sentinelone-source" in part or re.search(free, part), part


def test_monitor() -> None:
    """The monitor finds the pods of the overlays and the charts, and ports that they have."""
    monitor = ROOT / "deploy/monitoring/pod-monitor.yaml"
    spec = yaml.safe_load(monitor.read_text())["spec"]
    wanted = spec["selector"]["matchLabels"].items()
    watched = {one["port"] for one in spec["podMetricsEndpoints"]}
    for overlay in OVERLAYS:
        pod = rendered(overlay).pod
        ports = {port["name"] for one in containers(pod) for port in one.get("ports", [])}
        assert wanted <= pod["metadata"]["labels"].items()
        assert watched == ports
    for name in CHARTS:
        values = chart_values(name)
        [source] = values["extraContainers"]
        ports = {port["name"] for port in (*source["ports"], *values.get("containerPorts", []))}
        assert wanted <= values["podLabels"].items()
        assert watched == ports | ({"shipper-metrics"} if name == "fluent-bit" else set())


def test_lists() -> None:
    """The page names every overlay, key of the Secret and argument of the image."""
    rows = set(re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE))
    assert set(OVERLAYS) <= rows
    assert set(SECRETS) <= rows
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    for argument in re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE):
        assert f"`{argument}`" in PAGE


def test_paths() -> None:
    """Every file of the clone that a command names is there."""
    named = re.findall(
        r"sentinelone-source/((?:deploy|vector|fluent-bit)/\S+)", "\n".join(commands())
    )
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_troubleshooting() -> None:
    """The page names what a user sees of a pod that does not come up, and the way to its cause."""
    table = PAGE[PAGE.index("| `Pending`") :]
    for seen in ("Pending", "ErrImagePull", "Init:Error", "Init:CrashLoopBackOff"):
        assert f"`{seen}`" in table
    for said in ("`3/3` with the broker", "sentinelone-source doctor", "federated-credential"):
        assert said in PAGE
    assert any("logs" in line and "--container" in line for line in commands())


def test_readme_leads_here() -> None:
    """README links to the page, and has no command of kubectl, docker or podman itself."""
    readme = (ROOT / "README.md").read_text()
    assert "(docs/how-to/kubernetes.md)" in readme
    assert not re.search(r"^\$ (kubectl|docker|podman) ", readme, flags=re.MULTILINE)
