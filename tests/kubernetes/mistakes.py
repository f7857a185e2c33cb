"""Mistakes that people make in manifests, and the check that is there to find each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubernetes import hardening, references, settings
from kubernetes.kubelite.manifest import Manifest, Object
from kubernetes.overlays import configmap
from kubernetes.settings import container_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check = Callable[[Manifest], Iterator[str]]
    Change = Callable[[Manifest], Any]

BROKERED = "fluent-bit-workload-identity"


def spec(manifest: Manifest) -> Object:
    """The pod's."""
    found = manifest.pod["spec"]
    assert isinstance(found, dict)
    return found


def container(manifest: Manifest, name: str) -> Object:
    """One that is there."""
    found = container_of(manifest, name)
    assert found is not None
    return found


def volume(manifest: Manifest, name: str) -> Object:
    """One of the pod's volumes."""
    found = next(one for one in spec(manifest)["volumes"] if one["name"] == name)
    assert isinstance(found, dict)
    return found


def one(manifest: Manifest, kind: str) -> Object:
    """The only object of a kind."""
    [found] = manifest.of(kind)
    return found


def mount(manifest: Manifest, name: str, of: str = "data") -> Object:
    """A container's mount of a volume."""
    found = next(one for one in container(manifest, name)["volumeMounts"] if one["name"] == of)
    assert isinstance(found, dict)
    return found


def reword(manifest: Manifest, name: str, key: str, old: str, new: str) -> None:
    """Another text in a ConfigMap."""
    data = configmap(manifest, name)
    assert old in data[key]
    data[key] = data[key].replace(old, new)


def shift(manifest: Manifest, name: str, path: str) -> None:
    """Mount something elsewhere."""
    for where in ("source", "shipper"):
        for found in container(manifest, where)["volumeMounts"]:
            if found["name"] == name:
                found["mountPath"] = path


MISTAKES: list[tuple[str, Check, Change]] = [
    ("volume", references.volumes, lambda m: mount(m, "source").update(name="dat")),
    ("unused", references.volumes, lambda m: spec(m)["volumes"].append({"name": "x"})),
    ("twice", references.volumes, lambda m: mount(m, "source").update(mountPath="/tmp")),
    ("nested", references.volumes, lambda m: mount(m, "source").update(mountPath="/tmp/state")),
    (
        "claim",
        references.data,
        lambda m: volume(m, "data")["persistentVolumeClaim"].update(claimName="x"),
    ),
    ("map", references.data, lambda m: volume(m, "config")["configMap"].update(name="x")),
    ("key", references.data, lambda m: volume(m, "token")["secret"]["items"][0].update(key="x")),
    (
        "from",
        references.data,
        lambda m: container(m, "shipper")["envFrom"][0]["configMapRef"].update(name="x"),
    ),
    (
        "variable",
        references.data,
        lambda m: container(m, "shipper")["env"].append(
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "sentinelone-source", "key": "x"}}}
        ),
    ),
    (
        "probe",
        references.ports,
        lambda m: container(m, "source")["livenessProbe"]["httpGet"].update(port="metric"),
    ),
    (
        "service port",
        references.ports,
        lambda m: one(m, "Service")["spec"]["ports"][0].update(targetPort="metric"),
    ),
    (
        "sidecar's name",
        references.ports,
        lambda m: one(m, "Service")["spec"]["ports"][1].update(targetPort="shipper-metrics"),
    ),
    (
        "policy port",
        references.ports,
        lambda m: one(m, "NetworkPolicy")["spec"]["ingress"][0]["ports"][0].update(port=1),
    ),
    (
        "same port",
        references.ports,
        lambda m: container(m, "shipper")["ports"][0].update(containerPort=9464),
    ),
    ("labels", references.names, lambda m: m.pod["metadata"]["labels"].clear()),
    ("account", references.names, lambda m: spec(m).update(serviceAccountName="x")),
    ("service", references.names, lambda m: m.workload["spec"].update(serviceName="x")),
    (
        "namespace",
        references.names,
        lambda m: one(m, "Service")["metadata"].update(namespace="x"),
    ),
    ("replicas", hardening.single, lambda m: m.workload["spec"].update(replicas=2)),
    ("no replicas", hardening.single, lambda m: m.workload["spec"].pop("replicas")),
    ("daemon", hardening.single, lambda m: m.workload.update(kind="DaemonSet")),
    ("scaled", hardening.single, lambda m: m.objects.append({"kind": "HorizontalPodAutoscaler"})),
    (
        "shared",
        hardening.single,
        lambda m: one(m, "PersistentVolumeClaim")["spec"].update(accessModes=["ReadWriteOnce"]),
    ),
    ("ordered", hardening.single, lambda m: m.workload["spec"].pop("podManagementPolicy")),
    (
        "claims of pods",
        hardening.single,
        lambda m: m.workload["spec"].update(volumeClaimTemplates=[{"metadata": {"name": "data"}}]),
    ),
    ("root", hardening.pod, lambda m: spec(m)["securityContext"].update(runAsUser=0)),
    ("seccomp", hardening.pod, lambda m: spec(m)["securityContext"].pop("seccompProfile")),
    ("cluster token", hardening.pod, lambda m: spec(m).pop("automountServiceAccountToken")),
    (
        "account token",
        hardening.pod,
        lambda m: one(m, "ServiceAccount").pop("automountServiceAccountToken"),
    ),
    ("host", hardening.pod, lambda m: spec(m).update(hostNetwork=True)),
    (
        "host path",
        hardening.pod,
        lambda m: spec(m)["volumes"].append({"name": "h", "hostPath": {}}),
    ),
    (
        "own namespace",
        hardening.pod,
        lambda m: m.objects.append({"kind": "Namespace", "metadata": {"name": "x"}}),
    ),
    (
        "writable",
        hardening.each_container,
        lambda m: container(m, "shipper")["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    (
        "escalation",
        hardening.each_container,
        lambda m: container(m, "source")["securityContext"].pop("allowPrivilegeEscalation"),
    ),
    (
        "capabilities",
        hardening.each_container,
        lambda m: container(m, "source")["securityContext"]["capabilities"].update(add=["X"]),
    ),
    (
        "own user",
        hardening.each_container,
        lambda m: container(m, "source")["securityContext"].update(runAsUser=0),
    ),
    ("memory", hardening.each_container, lambda m: container(m, "shipper").pop("resources")),
    ("image", hardening.each_container, lambda m: container(m, "shipper").update(image="a/b")),
    (
        "latest",
        hardening.each_container,
        lambda m: container(m, "shipper").update(image="a:latest"),
    ),
    ("mode", hardening.secrets, lambda m: volume(m, "token")["secret"].pop("defaultMode")),
    ("all keys", hardening.secrets, lambda m: volume(m, "token")["secret"].pop("items")),
    ("secret written", hardening.secrets, lambda m: mount(m, "source", "token").pop("readOnly")),
    (
        "environment",
        hardening.secrets,
        lambda m: container(m, "shipper")["envFrom"].append({"secretRef": {"name": "x"}}),
    ),
    (
        "beside",
        hardening.order,
        lambda m: spec(m)["containers"].append(spec(m)["initContainers"].pop()),
    ),
    ("waits for it", hardening.order, lambda m: container(m, "shipper").pop("restartPolicy")),
    ("not up", hardening.order, lambda m: container(m, "shipper").pop("startupProbe")),
    ("grace", hardening.order, lambda m: spec(m).update(terminationGracePeriodSeconds=30)),
    ("reversed", hardening.order, lambda m: spec(m)["initContainers"].reverse()),
    (
        "way out",
        hardening.network,
        lambda m: one(m, "NetworkPolicy")["spec"]["egress"].append({"ports": [{"port": 80}]}),
    ),
    (
        "all ways out",
        hardening.network,
        lambda m: one(m, "NetworkPolicy")["spec"]["egress"].append({}),
    ),
    (
        "way in",
        hardening.network,
        lambda m: one(m, "NetworkPolicy")["spec"]["ingress"].append({"ports": [{"port": 8687}]}),
    ),
    ("one way", hardening.network, lambda m: one(m, "NetworkPolicy")["spec"]["policyTypes"].pop()),
    (
        "misspelt",
        settings.source,
        lambda m: reword(m, "config", "config.toml", "[telemetry]", "[telemetri]"),
    ),
    ("token", settings.source, lambda m: shift(m, "token", "/run/secrets/other")),
    ("state", settings.source, lambda m: shift(m, "data", "/var/lib/other")),
    ("mappings", settings.source, lambda m: shift(m, "mappings", "/other")),
    (
        "telemetry",
        settings.source,
        lambda m: reword(m, "config", "config.toml", "0.0.0.0:9464", "127.0.0.1:9464"),
    ),
    ("listener", settings.listener, lambda m: reword(m, "config", "config.toml", "8687", "9880")),
    (
        "open listener",
        settings.listener,
        lambda m: reword(m, "shipper", "http.yaml", "listen: 127.0.0.1", "listen: 0.0.0.0"),
    ),
    ("not given", settings.variables, lambda m: configmap(m, "azure").pop("DCE_URL")),
    ("no secret", settings.variables, lambda m: shift(m, "broker", "/run/secrets/other")),
    ("buffers", settings.storage, lambda m: mount(m, "shipper").update(name="shipper-tmp")),
    ("one path", settings.storage, lambda m: mount(m, "shipper").update(subPath="state")),
    ("command", settings.programs, lambda m: container(m, "source").update(args=["poll"])),
    (
        "exec probe",
        settings.programs,
        lambda m: container(m, "source").update(
            livenessProbe={"exec": {"command": ["sentinelone-source", "healthy"]}}
        ),
    ),
    (
        "broker's port",
        settings.broker,
        lambda m: container(m, "shipper")["env"].append(
            {"name": "AZURE_AUTH_URL", "value": "http://127.0.0.1:1/"}
        ),
    ),
    (
        "broker's secret",
        settings.broker,
        lambda m: volume(m, "broker")["secret"]["items"][0].update(key="x"),
    ),
    ("no broker", settings.broker, lambda m: spec(m)["initContainers"].pop(0)),
    (
        "identity for all",
        settings.broker,
        lambda m: m.pod["metadata"]["annotations"].pop("azure.workload.identity/skip-containers"),
    ),
]
