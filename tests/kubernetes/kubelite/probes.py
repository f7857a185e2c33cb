"""Probes, made as the kubelet makes them."""

from __future__ import annotations

from kubernetes.kubelite.manifest import Object
from kubernetes.kubelite.network import POD, Network


def port_of(container: Object, wanted: object) -> int:
    """The number of a port.

    Raises:
        KeyError: a name that the container does not declare.
    """
    named = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
    return int(wanted if isinstance(wanted, int) else named[wanted])


def succeeds(network: Network, container: Object, probe: Object) -> bool:
    """One try by HTTP, the only kind that the manifests have."""
    timeout = probe.get("timeoutSeconds", 1)
    try:
        wanted = probe["httpGet"]
        status, _ = network.get(POD, port_of(container, wanted["port"]), wanted["path"], timeout)
    except OSError:
        return False
    return 200 <= status < 400
