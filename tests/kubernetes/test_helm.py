"""The chart of deploy/helm: every combination passes the checks of the overlays."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from kubernetes.kubelite.manifest import Manifest, Object, containers
from kubernetes.overlays import NAME, SECRETS, rendered
from kubernetes.settings import container_of, content, settings_of
from kubernetes.test_overlays import CHECKS
from sentinelone_source import __version__
from support.pages import blocks

CHART = Path(__file__).parents[2] / "deploy/helm" / NAME
CONSOLE = {"name": "acme", "url": "https://a.example", "tokenKey": "sentinelone-token"}
AZURE = {"endpoint": "https://b.example", "dcrImmutableId": "dcr-1"}
IDENTITY = {"tenantId": "tenant-1", "clientId": "client-1"}
PLAIN = {"image": {"repository": NAME}, "consoles": [CONSOLE], "azure": {**AZURE, **IDENTITY}}
MORE = {
    "consoles": [
        {**CONSOLE, "siteIds": ["225494730938493804"]},
        {"name": 'a "b"\n', "url": "c.example", "tokenKey": "emea", "proxy": "http://p.example:1"},
    ],
    "extraConfig": """
[feeds]
interval = "5m"
[feeds.alertsv2]
enabled = true
[health]
interval = "5m"
[azure]
tenant_id = "tenant-1"
""",
    "existingSecret": "tokens",
    "fullnameOverride": "s1",
    "mappings": {"threats.toml": 'table = "SentinelOneThreats_CL"\n'},
    "persistence": {"storageClassName": "fast", "size": "9Gi"},
    "proxy": "http://proxy.example:3128",
    "ca": {"configMap": "authorities", "key": "all.pem"},
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "podLabels": {"team": "soc"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"operator": "Exists"}],
    "priorityClassName": "high",
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraVolumes": [{"name": "csi", "csi": {"driver": "secrets-store.csi.k8s.io"}}],
    "extraVolumeMounts": [{"name": "csi", "mountPath": "/mnt/csi", "readOnly": True}],
    "source": {"resources": {"limits": {"memory": "1Gi"}}},
}
COMBINATIONS = list(product(("fluent-bit", "vector"), ("client-secret", "workload-identity")))
every = pytest.mark.parametrize(("shipper", "identity"), COMBINATIONS)


def helm(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Helm, which `make helm` installs where Go is."""
    path = os.pathsep.join((str(CHART.parents[2] / ".venv/bin"), os.environ["PATH"]))
    program = shutil.which("helm", path=path)
    if program is None:
        pytest.skip("no helm: install it, or Go and `make helm`")
    command = [program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@cache
def _output(values: str, release: str, chart: Path) -> str:
    version = ("--kube-version", "1.37", "--namespace", NAME)
    given = ("--set-json", values)
    done = helm("template", release, chart, *version, *given)
    assert done.returncode == 0, done.stderr
    return done.stdout


def render(
    values: Object, shipper: str, identity: str, *, release: str = NAME, chart: Path = CHART
) -> Manifest:
    """What Helm would send, and what people create themselves."""
    given = {**PLAIN, **values, "shipper": {"kind": shipper}, "identity": identity}
    text = ",".join(f"{key}={json.dumps(value)}" for key, value in given.items())
    manifest = Manifest(copy.deepcopy(list(yaml.safe_load_all(_output(text, release, chart)))))
    here = {"namespace": NAME}
    secret = values.get("existingSecret", manifest.workload["metadata"]["name"])
    data = {**SECRETS, "emea": "token"}
    manifest.objects.append(
        {"kind": "Secret", "metadata": {"name": secret, **here}, "stringData": data}
    )
    authorities = {"name": "authorities", **here}
    manifest.objects.append({"kind": "ConfigMap", "metadata": authorities, "data": {"all.pem": ""}})
    for container in containers(manifest.pod):
        if container["image"] == f"{NAME}:{__version__}":
            container["image"] = NAME
    return manifest


@every
@pytest.mark.parametrize("values", [PLAIN, MORE], ids=["plain", "more"])
def test_checks(values: Object, shipper: str, identity: str) -> None:
    """Every combination of values holds together, is hardened, and is taken by the API server."""
    manifest = render(values, shipper, identity)
    assert [problem for check in CHECKS for problem in check(manifest)] == []
    for one in manifest.objects:
        if one["kind"] != "PodMonitor" and "apiVersion" in one:
            for version in ("1.29", "1.37"):
                kubernetes_validate.validate(one, version, strict=True)


@every
def test_same_pod(shipper: str, identity: str) -> None:
    """With default values the containers are those of the overlay."""
    ours = render(PLAIN, shipper, identity)
    overlay = rendered(f"{shipper}-{identity}")
    for one in (*containers(ours.pod), *containers(overlay.pod)):
        one.pop("imagePullPolicy", None)
        for source in one.get("envFrom", []):
            source["configMapRef"].clear()
        for key in ("volumeMounts", "env"):
            one.get(key, []).sort(key=json.dumps)
    assert ours.pod["spec"].keys() == overlay.pod["spec"].keys()
    assert containers(ours.pod) == containers(overlay.pod)
    for key in ("securityContext", "terminationGracePeriodSeconds", "enableServiceLinks"):
        assert ours.pod["spec"][key] == overlay.pod["spec"][key]


@every
def test_values_arrive(shipper: str, identity: str) -> None:
    """What the values say is what the program and the shipper read."""
    manifest = render(MORE, shipper, identity)
    source, beside = container_of(manifest, "source"), container_of(manifest, "shipper")
    settings = settings_of(manifest, source)
    assert [one.name for one in settings.consoles] == ["acme", 'a "b"\n']
    assert settings.consoles[0].site_ids == ("225494730938493804",)
    assert [one.proxy for one in settings.consoles] == ["", "http://p.example:1"]
    assert settings.feed("threats").interval == 300
    assert settings.is_enabled("alertsv2", by_default=False)
    assert settings.health_interval == 300
    assert settings.azure.tenant_id == "tenant-1"
    assert content(manifest, source, "/etc/sentinelone-source-mappings/threats.toml")
    assert content(manifest, beside, "/etc/sentinelone-ca/ca.pem") == b""
    for one in containers(manifest.pod):
        given = {variable["name"]: variable["value"] for variable in one["env"]}
        assert given["HTTPS_PROXY"] == "http://proxy.example:3128"
        assert given["SSL_CERT_FILE"] == "/etc/sentinelone-ca/ca.pem"
    if shipper == "vector":
        text = content(manifest, beside, "/etc/shipper/vector.yaml")
        sink = yaml.safe_load(text or b"")["sinks"]["sentinel_threats"]
        assert (sink["endpoint"], sink["dcr_immutable_id"]) == tuple(AZURE.values())
        assert sink["auth"].get("azure_client_id") in (None, "client-1")
    [monitor] = manifest.of("PodMonitor")
    watched = {one["port"] for one in monitor["spec"]["podMetricsEndpoints"]}
    assert watched == {one["ports"][0]["name"] for one in (source, beside)}


def test_releases_in_one_namespace() -> None:
    """Two releases share no object, and no selector of one finds the pod of the other."""
    one, other = (render({}, *COMBINATIONS[0], release=name) for name in ("emea", "apac"))
    names = [{(o["kind"], o["metadata"]["name"]) for o in m.objects} for m in (one, other)]
    assert names[0] & names[1] == {("ConfigMap", "authorities")}
    labels = other.pod["metadata"]["labels"].items()
    assert not one.workload["spec"]["selector"]["matchLabels"].items() <= labels
    assert not one.of("Service")[0]["spec"]["selector"].items() <= labels


def test_persistence() -> None:
    """The claim is kept at uninstall, can be one that exists, or none."""
    [claim] = render({}, *COMBINATIONS[0]).of("PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    for values, wanted in (
        ({"existingClaim": "mine"}, {"persistentVolumeClaim": {"claimName": "mine"}}),
        ({"enabled": False}, {"emptyDir": {}}),
    ):
        manifest = render({"persistence": values}, *COMBINATIONS[0])
        assert not manifest.of("PersistentVolumeClaim")
        assert {"name": "data", **wanted} in manifest.pod["spec"]["volumes"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"shiper": {}}, "'shiper' not allowed"),
        ({"consoles": []}, "consoles: at least one is needed"),
        ({"consoles": [{**CONSOLE, "siteIds": [1]}]}, "got number, want string"),
        ({"azure": IDENTITY}, "azure.endpoint: the ingestion endpoint"),
        ({"azure": AZURE}, "azure.tenantId, azure.clientId: the application"),
        ({"image": {}}, "image.repository: the image that you built"),
    ],
)
def test_refused(values: Object, says: str) -> None:
    """A value that is missing, misspelt or of another type is an error with a sentence."""
    given = {**PLAIN, **values}
    text = ",".join(f"{key}={json.dumps(value)}" for key, value in given.items())
    done = helm("template", NAME, CHART, "--kube-version", "1.37", "--set-json", text)
    assert done.returncode
    assert says in done.stderr


@every
def test_lint(shipper: str, identity: str) -> None:
    """Helm's own linter finds nothing."""
    text = ",".join(f"{key}={json.dumps(value)}" for key, value in {**PLAIN, **MORE}.items())
    text += f',shipper.kind="{shipper}",identity="{identity}"'
    done = helm("lint", "--strict", CHART, "--kube-version", "1.37", "--set-json", text)
    assert done.returncode == 0, done.stdout + done.stderr


def test_page() -> None:
    """The values of the page render, and every value that it names is there."""
    page = (CHART.parents[2] / "docs/how-to/kubernetes.md").read_text()
    section = page.partition("## With Helm")[2].partition("\n## ")[0]
    shown = [yaml.safe_load(block) for block in blocks(section, "yaml")]
    values = {key: value for block in shown for key, value in block.items()}
    manifest = render({**values, "image": {"repository": NAME}}, *COMBINATIONS[0])
    assert [problem for check in CHECKS for problem in check(manifest)] == []
    source = container_of(manifest, "source")
    assert settings_of(manifest, source).is_enabled("alertsv2", by_default=False)
    known = yaml.safe_load((CHART / "values.yaml").read_text())
    for row in re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE):
        for name in re.findall(r"`([\w.]+)`", row):
            key, _, inner = name.partition(".")
            assert not inner or inner in known[key]
            assert key in known


def test_package(tmp_path: Path) -> None:
    """The packed chart renders what the folder renders: its links have become files."""
    done = helm("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    packed = render({}, *COMBINATIONS[0], chart=tmp_path / f"{NAME}-{__version__}.tgz")
    assert packed.objects == render({}, *COMBINATIONS[0]).objects


def test_chart_and_schema() -> None:
    """The chart has the version of the program, and its schema the keys of its values."""
    chart: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert schema.keys() - {"global"} == values.keys()
    for key, value in values.items():
        if isinstance(value, dict) and "properties" in schema[key]:
            assert schema[key]["properties"].keys() == value.keys()
