"""What a pod that holds credentials must not be, or be able to do; and that there is one of it.

Each check gives a sentence for each thing that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubernetes.kubelite.manifest import Manifest, containers, is_sidecar

OURS = {"sentinelone-source"}
"""Images that people give a name and a tag of their own."""
MANY = {"DaemonSet", "Deployment", "ReplicaSet", "Job", "CronJob", "HorizontalPodAutoscaler"}


def single(manifest: Manifest) -> Iterator[str]:
    """One pod, which keeps its volume to itself, and which a new configuration replaces."""
    yield from (f"a {one['kind']} may run several" for one in manifest.of(*MANY))
    if manifest.workload["kind"] != "StatefulSet":
        yield "no StatefulSet"
    if manifest.workload["spec"].get("replicas") != 1:
        yield "not exactly one replica"
    if manifest.workload["spec"].get("podManagementPolicy") != "Parallel":
        yield "a pod that is not ready is never replaced"
    if manifest.workload["spec"].get("volumeClaimTemplates"):
        yield "a second replica would get a claim of its own"
    for claim in manifest.of("PersistentVolumeClaim"):
        if claim["spec"]["accessModes"] != ["ReadWriteOncePod"]:
            yield f"claim {claim['metadata']['name']} can be shared"


def pod(manifest: Manifest) -> Iterator[str]:
    """No root, no token of the cluster, nothing of the node."""
    spec = manifest.pod["spec"]
    context = spec.get("securityContext", {})
    if not context.get("runAsNonRoot") or not context.get("runAsUser"):
        yield "may run as root"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "no seccomp profile"
    [account] = manifest.of("ServiceAccount")
    if spec.get("automountServiceAccountToken") is not False:
        yield "the pod gets a token of the cluster"
    if account.get("automountServiceAccountToken") is not False:
        yield "the account gives out tokens of the cluster"
    for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(key):
            yield f"{key} is on"
    for volume in spec["volumes"]:
        if "hostPath" in volume:
            yield f"volume {volume['name']} is the node's"
    if manifest.of("Namespace"):
        yield "a namespace is changed by apply, and deleted with everything in it by delete"


def each_container(manifest: Manifest) -> Iterator[str]:
    """Nothing to write to, no rights to gain, bounded memory, a version that does not change."""
    for container in containers(manifest.pod):
        name, context = container["name"], container.get("securityContext", {})
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"{name}: the root can be written to"
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{name}: may gain privileges"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name}: has capabilities"
        if context.get("privileged") or "runAsUser" in context:
            yield f"{name}: overrides the pod"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"{name}: memory without bound"
        tag = container["image"].rpartition("/")[2].partition(":")[2]
        if container["image"] not in OURS and tag in ("", "latest"):
            yield f"{name}: an image without a version"


def secrets(manifest: Manifest) -> Iterator[str]:
    """Secrets are files that only the pod's group can read, and that nobody can write."""
    mounted = {}
    for volume in manifest.pod["spec"]["volumes"]:
        if "secret" in volume:
            mounted[volume["name"]] = volume["secret"]
            if volume["secret"].get("defaultMode") != 0o440:
                yield f"volume {volume['name']} can be read by others"
            if "items" not in volume["secret"]:
                yield f"volume {volume['name']} holds every secret there is"
    for container in containers(manifest.pod):
        for mount in container.get("volumeMounts", []):
            if mount["name"] in mounted and not mount.get("readOnly"):
                yield f"{container['name']}: {mount['mountPath']} can be written to"
        if any("secretRef" in source for source in container.get("envFrom", [])):
            yield f"{container['name']}: secrets in the environment"


def order(manifest: Manifest) -> Iterator[str]:
    """The shipper runs before the source and after it, and has the time to deliver."""
    spec = manifest.pod["spec"]
    inits = [container["name"] for container in spec.get("initContainers", [])]
    if "shipper" not in inits or [one["name"] for one in spec["containers"]] != ["source"]:
        yield "the shipper is not beside the source"
        return
    if inits[-1] != "shipper":
        yield "something starts between shipper and source"
    for container in spec["initContainers"]:
        if not is_sidecar(container):
            yield f"{container['name']} does not stay"
    if "startupProbe" not in spec["initContainers"][-1]:
        yield "the source does not wait for the shipper"
    if spec.get("terminationGracePeriodSeconds", 30) < 5 + 25 + 5:
        yield "not enough time to stop"


def network(manifest: Manifest) -> Iterator[str]:
    """In for metrics only, out for names and TLS only."""
    [policy] = manifest.of("NetworkPolicy")
    spec = policy["spec"]
    if set(spec["policyTypes"]) != {"Ingress", "Egress"}:
        yield "one direction is open"
    out = {port["port"] for rule in spec["egress"] for port in rule.get("ports", [{"port": 0}])}
    yield from (f"a way out by port {port}" for port in out - {53, 443})
    into = {port["port"] for rule in spec["ingress"] for port in rule.get("ports", [{"port": 0}])}
    served = {port["targetPort"] for one in manifest.of("Service") for port in one["spec"]["ports"]}
    if into != served:
        yield "what may come in is not what is served"
