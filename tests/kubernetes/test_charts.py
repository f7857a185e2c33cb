"""The values for the official charts: keys that the charts have, and one poller only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kubernetes.kubelite.manifest import Object
from kubernetes.overlays import CHARTS as NAMES
from kubernetes.overlays import DEPLOY, raw
from kubernetes.overlays import chart_values as values

ROOT = Path(__file__).parents[2]
KNOWN = {
    "fluent-bit": """affinity annotations args autoscaling command config daemonSetVolumeMounts
        daemonSetVolumes dashboards dnsConfig dnsPolicy env envFrom envWithTpl existingConfigMap
        extraContainers extraPorts extraVolumeMounts extraVolumes flush fullnameOverride
        hostAliases hostNetwork hotReload image imagePullSecrets ingress initContainers kind labels
        lifecycle livenessProbe logLevel luaScripts metricsPort minReadySeconds nameOverride
        networkPolicy nodeSelector openShift podAnnotations podDisruptionBudget podLabels
        podSecurityContext podSecurityPolicy priorityClassName prometheusRule rbac readinessProbe
        replicaCount resources securityContext service serviceAccount serviceMonitor
        terminationGracePeriodSeconds testFramework tolerations updateStrategy volumeMounts""",
    "vector": """affinity args autoscaling command commonLabels containerPorts customConfig
        daemonSet dataDir defaultVolumeMounts defaultVolumes dnsConfig dnsPolicy env envFrom
        existingConfigMaps extraContainers extraObjects extraVolumeMounts extraVolumes
        fullnameOverride haproxy hostAliases image ingress initContainers lifecycle livenessProbe
        logLevel minReadySeconds nameOverride nodeSelector persistence podAnnotations
        podDisruptionBudget podHostNetwork podLabels podManagementPolicy podMonitor
        podPriorityClassName podSecurityContext psp rbac readinessProbe replicas resources role
        rollWorkload rollWorkloadExtraObjects rollWorkloadSecrets secrets securityContext service
        serviceAccount serviceHeadless shareProcessNamespace startupProbe statefulSet
        terminationGracePeriodSeconds tolerations topologySpreadConstraints updateStrategy
        workloadResourceAnnotations""",
}
"""The keys of fluent/fluent-bit 0.58.1 and vector/vector 0.57.0; others are ignored in silence."""


def base() -> Object:
    """The pod of the base."""
    [one] = [one for one in raw() if one["kind"] == "StatefulSet"]
    spec = one["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


@pytest.mark.parametrize("name", NAMES)
def test_keys(name: str) -> None:
    """Every value that is set is one that the chart knows."""
    assert set(values(name)) <= set(KNOWN[name].split())


def test_one_poller() -> None:
    """Each chart runs one pod without autoscaling, and an update runs no second one."""
    fluent_bit, vector = map(values, NAMES)
    assert fluent_bit["kind"] == "Deployment"
    assert fluent_bit["replicaCount"] == 1
    assert fluent_bit["updateStrategy"] == {"type": "Recreate"}
    assert vector["role"] == "Aggregator"
    assert vector["replicas"] == 1
    assert vector["podManagementPolicy"] == "Parallel"
    for one in (fluent_bit, vector):
        assert one["autoscaling"] == {"enabled": False}


@pytest.mark.parametrize("name", NAMES)
def test_same_source(name: str) -> None:
    """The source beside a chart's shipper is the container of the base."""
    [beside] = values(name)["extraContainers"]
    [source] = base()["containers"]
    renamed = [
        one | ({"name": "config"} if one["name"] == "source-config" else {})
        for one in beside["volumeMounts"]
    ]
    assert beside | {"image": source["image"], "volumeMounts": renamed} == source


@pytest.mark.parametrize("name", NAMES)
def test_volumes(name: str) -> None:
    """Each mount has its volume, and volumes of the base are the same here."""
    given = values(name)
    brought = {"config", "data"} if name == "vector" else {"config"}  # by the chart itself
    known = {one["name"] for one in given["extraVolumes"]}
    assert not known & brought
    mounts = [*given["extraVolumeMounts"], *given["extraContainers"][0]["volumeMounts"]]
    assert {one["name"] for one in mounts} | brought == known | brought
    named = {one["name"]: one for one in base()["volumes"]}
    for one in given["extraVolumes"]:
        if one["name"] in named:
            assert one == named[one["name"]]


@pytest.mark.parametrize("name", NAMES)
def test_hardening(name: str) -> None:
    """The chart's shipper has the security context, the limits and the rights of the base's."""
    given = values(name)
    assert given["podSecurityContext"] == base()["securityContext"]
    [shipper] = base()["initContainers"]
    assert given["securityContext"] == shipper["securityContext"]
    assert given["resources"] == shipper["resources"]
    assert given["rbac"] == {"create": False}
    assert given["terminationGracePeriodSeconds"] == base()["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", NAMES)
def test_same_shipper(name: str) -> None:
    """A chart's shipper has the overlay's image, starts with the same files and is probed alike."""
    given = values(name)
    patch = yaml.safe_load((DEPLOY / name / "shipper.yaml").read_text())
    [shipper] = patch["spec"]["template"]["spec"]["initContainers"]
    assert f"{given['image']['repository']}:{given['image']['tag']}" == shipper["image"]
    wanted = [word.rpartition("/")[2] for word in shipper["args"] if word.endswith(".yaml")]
    assert [word.rpartition("/")[2] for word in given["args"] if word.endswith(".yaml")] == wanted
    ours, theirs = (one["livenessProbe"]["httpGet"]["path"] for one in (given, shipper))
    assert ours == theirs


def test_one_claim() -> None:
    """Both charts take the claim of the base by its name, so a second replica finds it taken."""
    [claim] = [one for one in raw() if one["kind"] == "PersistentVolumeClaim"]
    data = next(one for one in values("fluent-bit")["extraVolumes"] if one["name"] == "data")
    assert data == next(one for one in base()["volumes"] if one["name"] == "data")
    assert values("vector")["persistence"] == {
        "enabled": True,
        "existingClaim": claim["metadata"]["name"],
    }


def test_service_links() -> None:
    """Variables that Services of the namespace bring do not change the shipper.

    The chart of Fluent Bit has no `enableServiceLinks`. The links of a Service named `fluent-bit`
    set `FLUENT_BIT_PORT` to `tcp://...`.
    """
    text = (ROOT / "fluent-bit/http.yaml").read_text()
    read = set(re.findall(r"\$\{(\w+)", text))
    linked = {name for name in read if name.endswith(("_PORT", "_SERVICE_HOST", "_TCP", "_ADDR"))}
    given = {one["name"]: one["value"] for one in values("fluent-bit")["env"]}
    assert linked <= set(given)
    assert given["FLUENT_BIT_PORT"] == "8687"
    [pod] = [one for one in raw() if one["kind"] == "StatefulSet"]
    assert pod["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_both_metrics_are_served() -> None:
    """The Service of each chart has the port of the source, too."""
    fluent_bit, vector = map(values, NAMES)
    assert [(one["port"], one["containerPort"]) for one in fluent_bit["extraPorts"]] == [
        (9464, 9464)
    ]
    assert [one["port"] for one in vector["service"]["ports"]] == [9464, 9599]
