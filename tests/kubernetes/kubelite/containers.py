"""One container of a pod as arguments of `podman create`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from kubernetes.kubelite.manifest import Manifest, Object, quantity
from kubernetes.kubelite.volumes import Volumes


class KubeletRefusal(Exception):
    """What the kubelet would not run."""


def arguments(
    manifest: Manifest, volumes: Volumes, container: Object, image_user: str
) -> list[str]:
    """Everything but the pod, the name, the image and its arguments.

    Raises:
        KubeletRefusal: it would run as root, and must not.
        KeyError: a volume, a ConfigMap, a Secret or a key that is not there.
    """
    spec = manifest.pod["spec"]
    return [
        *_security(spec.get("securityContext", {}), container, image_user),
        *_limits(container.get("resources", {}).get("limits", {})),
        *(f"--env={key}={value}" for key, value in environment(manifest, container).items()),
        *(_mount(volumes, mount) for mount in container.get("volumeMounts", [])),
        "--restart=always",
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
        found[one["name"]] = one["value"]
    return found


def _security(pod: Object, container: Object, image_user: str) -> Iterator[str]:
    inherited = {key: pod[key] for key in ("runAsUser", "runAsGroup", "runAsNonRoot") if key in pod}
    context = inherited | container.get("securityContext", {})
    user = str(context.get("runAsUser", image_user.partition(":")[0] or "0"))
    if context.get("runAsNonRoot") and not user.isdigit():
        raise KubeletRefusal(f"{container['name']}: the image's user {user!r} is no number")
    if context.get("runAsNonRoot") and int(user) == 0:
        raise KubeletRefusal(f"{container['name']}: would run as root")
    if "runAsUser" in context:
        yield f"--user={user}:{context.get('runAsGroup', 0)}"
    if "fsGroup" in pod:
        yield f"--group-add={pod['fsGroup']}"
    if context.get("readOnlyRootFilesystem"):
        yield from ("--read-only", "--read-only-tmpfs=false")
    if context.get("allowPrivilegeEscalation") is False:
        yield "--security-opt=no-new-privileges"
    yield from (f"--cap-drop={name}" for name in context["capabilities"]["drop"])


def _limits(limits: Object) -> Iterator[str]:
    if "memory" in limits:
        memory = quantity(limits["memory"])
        yield from (f"--memory={memory}", f"--memory-swap={memory}")


def _mount(volumes: Volumes, mount: Object) -> str:
    access = "ro" if mount.get("readOnly") else "rw"
    return f"--volume={volumes.source(mount)}:{mount['mountPath']}:{access}"
