"""What in a manifest points at something: all of it has to be there.

Each check gives a sentence for each thing that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubernetes.kubelite.manifest import Manifest, Object, containers


def volumes(manifest: Manifest) -> Iterator[str]:
    """Mounts have their volumes, volumes their mounts, and none lies in a read-only other one."""
    spec = manifest.pod["spec"]
    known = {one["name"] for one in spec.get("volumes", [])}
    used = set()
    for container in containers(manifest.pod):
        mounts = container.get("volumeMounts", [])
        used |= {mount["name"] for mount in mounts}
        paths = [mount["mountPath"] for mount in mounts]
        for path in paths:
            if paths.count(path) > 1:
                yield f"{container['name']}: {path} is mounted twice"
            if any(path.startswith(f"{other}/") for other in paths):
                yield f"{container['name']}: {path} lies in another mount"
    yield from (f"no volume {name}" for name in used - known)
    yield from (f"volume {name} is mounted nowhere" for name in known - used)


def data(manifest: Manifest) -> Iterator[str]:
    """ConfigMaps, Secrets and their keys are there, and claims."""
    for volume in manifest.pod["spec"].get("volumes", []):
        for source in volume.get("projected", {}).get("sources", [volume]):
            yield from _missing(manifest, source)
        claim = volume.get("persistentVolumeClaim")
        if claim and manifest.find("PersistentVolumeClaim", claim["claimName"]) is None:
            yield f"no claim {claim['claimName']}"
    for container in containers(manifest.pod):
        for source in container.get("envFrom", []):
            yield from _missing(manifest, source)
        for variable in container.get("env", []):
            for wanted in variable.get("valueFrom", {}).values():
                if "key" in wanted:
                    yield f"{container['name']}: {variable['name']} is no file"


def ports(manifest: Manifest) -> Iterator[str]:
    """Probes, Services and policies name ports that containers have."""
    declared = [
        (container["name"], port)
        for container in containers(manifest.pod)
        for port in container.get("ports", [])
    ]
    numbers = {port["containerPort"] for _, port in declared}
    main = {container["name"] for container in manifest.pod["spec"]["containers"]}
    # the names of a sidecar's ports are found by its own probes only, on older clusters
    found = numbers | {port["name"] for name, port in declared if name in main}
    if len(numbers) < len(declared):
        yield "two containers have the same port"
    yield from _probes(manifest)
    for service in manifest.of("Service"):
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in found:
                yield f"no port {port['targetPort']} for the Service"
    for policy in manifest.of("NetworkPolicy"):
        for rule in policy["spec"]["ingress"]:
            for port in rule["ports"]:
                if port["port"] not in found:
                    yield f"no port {port['port']} for the NetworkPolicy"


def _probes(manifest: Manifest) -> Iterator[str]:
    for container in containers(manifest.pod):
        own = {port.get("name") for port in container.get("ports", [])}
        own |= {port["containerPort"] for port in container.get("ports", [])}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container.get(kind, {})
            wanted = probe.get("httpGet") or probe.get("tcpSocket")
            if wanted and wanted["port"] not in own:
                yield f"{container['name']}: no port {wanted['port']} for its {kind}"


def names(manifest: Manifest) -> Iterator[str]:
    """Selectors select the pod; the account and the Service are there, in one namespace."""
    labels = manifest.pod["metadata"]["labels"].items()
    spec = manifest.workload["spec"]
    selectors = [("workload", spec["selector"]["matchLabels"])]
    selectors += [("Service", one["spec"]["selector"]) for one in manifest.of("Service")]
    for policy in manifest.of("NetworkPolicy"):
        selectors.append(("NetworkPolicy", policy["spec"]["podSelector"]["matchLabels"]))
    yield from (f"{what} selects another pod" for what, one in selectors if one.items() - labels)
    if manifest.find("ServiceAccount", manifest.pod["spec"]["serviceAccountName"]) is None:
        yield "no such ServiceAccount"
    if manifest.find("Service", spec["serviceName"]) is None:
        yield "no such Service"
    namespace = manifest.workload["metadata"].get("namespace")
    for one in manifest.objects:
        if one["metadata"].get("namespace") != namespace:
            yield f"{one['kind']} {one['metadata']['name']} is in another namespace"


def _missing(manifest: Manifest, source: Object) -> Iterator[str]:
    for field, kind in (
        ("configMap", "ConfigMap"),
        ("secret", "Secret"),
        ("configMapRef", "ConfigMap"),
        ("secretRef", "Secret"),
    ):
        wanted = source.get(field)
        if wanted is None or wanted.get("optional"):
            continue
        name = wanted.get("secretName") or wanted.get("name")
        try:
            keys = manifest.data(kind, name)
        except KeyError:
            yield f"no {kind} {name}"
            continue
        for item in wanted.get("items", []):
            if item["key"] not in keys:
                yield f"{kind} {name} has no key {item['key']}"
