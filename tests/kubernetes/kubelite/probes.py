"""Probes, made as the kubelet makes them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from kubernetes.kubelite.network import POD

if TYPE_CHECKING:
    from kubernetes.kubelite.manifest import Object
    from kubernetes.kubelite.network import Network
    from kubernetes.kubelite.podman import Podman


def port_of(container: Object, wanted: object) -> int:
    """The number of a port.

    Raises:
        KeyError: a name that the container does not declare.
    """
    named = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
    return int(wanted if isinstance(wanted, int) else named[wanted])


def succeeds(podman: Podman, network: Network, name: str, container: Object, probe: Object) -> bool:
    """One try."""
    timeout = probe.get("timeoutSeconds", 1)
    try:
        if "exec" in probe:
            command = probe["exec"]["command"]
            return podman.run("exec", name, *command, timeout=timeout + 30).returncode == 0
        wanted = probe.get("httpGet") or probe["tcpSocket"]
        port = port_of(container, wanted["port"])
        if "tcpSocket" in probe:
            network.connect(POD, port, timeout).close()
            return True
        status, _ = network.get(POD, port, wanted.get("path", "/"), timeout)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return 200 <= status < 400
