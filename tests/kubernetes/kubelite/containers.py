"""One container of a pod as arguments of `podman create`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kubernetes.kubelite.manifest import Manifest, Object, cores, is_sidecar, quantity
from kubernetes.kubelite.network import POD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubernetes.kubelite.volumes import Volumes

RESTARTS = {"Always": "always", "OnFailure": "on-failure", "Never": "no"}


class Refused(Exception):
    """What the kubelet would not run."""


def arguments(
    manifest: Manifest, volumes: Volumes, container: Object, image_user: str
) -> list[str]:
    """Everything but the pod, the name, the image and its arguments.

    Raises:
        Refused: it would run as root, and must not.
        KeyError: a volume, a ConfigMap, a Secret or a key that is not there.
    """
    spec = manifest.pod["spec"]
    return [
        *_security(spec.get("securityContext", {}), container, image_user),
        *_limits(container.get("resources", {}).get("limits", {})),
        *(f"--env={key}={value}" for key, value in environment(manifest, container).items()),
        *(_mount(volumes, mount) for mount in container.get("volumeMounts", [])),
        f"--restart={_restarts(spec, container)}",
        *([f"--workdir={container['workingDir']}"] if "workingDir" in container else []),
        *([f"--entrypoint={json.dumps(container['command'])}"] if "command" in container else []),
    ]


def environment(manifest: Manifest, container: Object) -> dict[str, str]:
    """The variables of a container; those of `env` win over those of `envFrom`."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        kind = "Secret" if "secretRef" in source else "ConfigMap"
        wanted = source.get("secretRef") or source["configMapRef"]
        data = manifest.data(kind, wanted["name"], optional=wanted.get("optional", False))
        found |= {key: value.decode() for key, value in data.items()}
    for one in container.get("env", []):
        found[one["name"]] = (
            _reference(manifest, one["valueFrom"]) if "valueFrom" in one else one.get("value", "")
        )
    return found


def _reference(manifest: Manifest, wanted: Object) -> str:
    if "fieldRef" in wanted:
        fields: dict[str, str] = {
            "metadata.name": manifest.workload["metadata"]["name"] + "-0",
            "metadata.namespace": manifest.workload["metadata"].get("namespace", "default"),
            "status.podIP": POD,
        }
        return fields[wanted["fieldRef"]["fieldPath"]]
    kind = "Secret" if "secretKeyRef" in wanted else "ConfigMap"
    key = wanted.get("secretKeyRef") or wanted["configMapKeyRef"]
    return manifest.data(kind, key["name"])[key["key"]].decode()


def _security(pod: Object, container: Object, image_user: str) -> Iterator[str]:
    inherited = {key: pod[key] for key in ("runAsUser", "runAsGroup", "runAsNonRoot") if key in pod}
    context = inherited | container.get("securityContext", {})
    user = str(context.get("runAsUser", image_user.partition(":")[0] or "0"))
    if context.get("runAsNonRoot") and not user.isdigit():
        raise Refused(f"{container['name']}: the image's user {user!r} is no number")
    if context.get("runAsNonRoot") and int(user) == 0:
        raise Refused(f"{container['name']}: would run as root")
    if "runAsUser" in context:
        yield f"--user={user}:{context.get('runAsGroup', 0)}"
    if "fsGroup" in pod:
        yield f"--group-add={pod['fsGroup']}"
    if context.get("readOnlyRootFilesystem"):
        yield from ("--read-only", "--read-only-tmpfs=false")
    if context.get("allowPrivilegeEscalation") is False:
        yield "--security-opt=no-new-privileges"
    capabilities = context.get("capabilities", {})
    yield from (f"--cap-drop={name}" for name in capabilities.get("drop", []))
    yield from (f"--cap-add={name}" for name in capabilities.get("add", []))


def _limits(limits: Object) -> Iterator[str]:
    if "memory" in limits:
        memory = quantity(limits["memory"])
        yield from (f"--memory={memory}", f"--memory-swap={memory}")
    if "cpu" in limits:
        yield f"--cpus={cores(limits['cpu'])}"


def _mount(volumes: Volumes, mount: Object) -> str:
    access = "ro" if mount.get("readOnly") else "rw"
    return f"--volume={volumes.source(mount)}:{mount['mountPath']}:{access}"


def _restarts(spec: Object, container: Object) -> str:
    if is_sidecar(container):
        return "always"
    if container in spec.get("initContainers", []):
        return "no"
    return RESTARTS[spec.get("restartPolicy", "Always")]
