"""A pod from its start to its end."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from kubernetes.kubelite.containers import arguments
from kubernetes.kubelite.manifest import Manifest, Object, containers, is_sidecar
from kubernetes.kubelite.network import Network
from kubernetes.kubelite.podman import Podman
from kubernetes.kubelite.probes import succeeds
from kubernetes.kubelite.volumes import Volumes
from support.waiting import until


class Pod:
    """What the manifests' workload makes.

    Attributes:
        events: what happened to which container, in order.
        volumes: where the pod's volumes are on this machine.
    """

    def __init__(
        self,
        podman: Podman,
        network: Network,
        manifest: Manifest,
        folder: Path,
        images: dict[str, str],
    ) -> None:
        self._podman = podman
        self._network = network
        self._images = images
        self.manifest = manifest
        self.spec = manifest.pod["spec"]
        self.hostname = manifest.workload["metadata"]["name"] + "-0"
        self.name = f"{self.hostname}-{folder.name}"
        self.volumes = Volumes(manifest, folder)
        self.events: list[tuple[str, str]] = []
        self._hosts = folder / "hosts"

    def __enter__(self) -> Self:
        try:
            self.create()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def create(self) -> None:
        """Lay out the volumes and make every container, without starting one."""
        self.volumes.make()
        self._hosts.write_text(f"127.0.0.1 localhost {self.hostname}\n")
        for container in containers(self.manifest.pod):
            self._create(container)

    def start(self) -> None:
        """Start the sidecars one after another, then the others.

        Raises:
            AssertionError: a start-up probe never succeeded.
        """
        for container in self.spec.get("initContainers", []):
            assert is_sidecar(container)
            self._start(container)
        for container in self.spec["containers"]:
            self._start(container)

    def stop(self) -> None:
        """TERM to the main containers, then to the sidecars in reverse; one time for all."""
        deadline = time.monotonic() + self.spec.get("terminationGracePeriodSeconds", 30)
        main = [container["name"] for container in self.spec["containers"]]
        with ThreadPoolExecutor(len(main)) as threads:
            list(threads.map(lambda name: self._stop(name, deadline), main))
        for container in reversed(self.spec.get("initContainers", [])):
            self._stop(container["name"], deadline)

    def remove(self) -> None:
        """Nothing stays but the claims."""
        names = [self._id(container["name"]) for container in containers(self.manifest.pod)]
        remove = ("rm", "--force", "--ignore", "--volumes", "--time=0", *names)
        # podman refuses for the moment in which it starts a container again
        until(lambda: self._podman.run(*remove).returncode == 0, "the containers are removed")
        self.volumes.remove()

    def kill(self, name: str) -> None:
        """SIGKILL; returns when the container has been started again."""
        before = self.restarts(name)
        pid = self.pid(name)
        assert pid > 1, f"{name} is not running"
        os.kill(pid, signal.SIGKILL)
        self.events.append(("killed", name))
        until(lambda: self.restarts(name) > before and self.pid(name), f"{name} runs again")

    def pid(self, name: str) -> int:
        """The process on this machine; 0 while there is none."""
        return int(self._inspect(name, "{{.State.Pid}}"))

    def restarts(self, name: str) -> int:
        """How often a container has been started again."""
        return int(self._inspect(name, "{{.RestartCount}}"))

    def status(self, name: str) -> int:
        """The exit status of a container that has ended."""
        return int(self._inspect(name, "{{.State.ExitCode}}"))

    def logs(self, name: str) -> str:
        """Everything that a container has written."""
        done = self._podman.run("logs", self._id(name))
        return done.stdout + done.stderr

    def probe(self, name: str, kind: str) -> bool:
        """One try of a probe, such as `readinessProbe`."""
        container = self._container(name)
        return succeeds(self._network, container, container[kind])

    def ready(self) -> bool:
        """Whether every container that can say so is ready."""
        return all(
            self.probe(container["name"], "readinessProbe")
            for container in containers(self.manifest.pod)
            if "readinessProbe" in container
        )

    def _create(self, container: Object) -> None:
        image = self._images.get(container["name"], container["image"])
        user = self._podman("image", "inspect", image, "--format={{.User}}").strip()
        self._podman(
            "create",
            f"--network=ns:{self._network.path}",
            f"--hostname={self.hostname}",
            f"--name={self._id(container['name'])}",
            "--pull=never",
            f"--volume={self._hosts}:/etc/hosts:ro",
            *arguments(self.manifest, self.volumes, container, user),
            image,
            *container.get("args", []),
        )

    def _start(self, container: Object) -> None:
        name = container["name"]
        self._podman("start", self._id(name))
        self.events.append(("started", name))
        if "startupProbe" in container:
            probe = container["startupProbe"]
            limit = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
            try:
                until(lambda: self.probe(name, "startupProbe"), f"{name} has started", limit)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.logs(name)}") from None
            self.events.append(("up", name))

    def _stop(self, name: str, deadline: float) -> None:
        self.events.append(("stopping", name))
        left = max(1, int(deadline - time.monotonic()))
        self._podman("stop", f"--time={left}", self._id(name))
        self.events.append(("stopped", name))

    def _container(self, name: str) -> Object:
        return next(one for one in containers(self.manifest.pod) if one["name"] == name)

    def _id(self, name: str) -> str:
        return f"{self.name}-{name}"

    def _inspect(self, name: str, form: str) -> str:
        return self._podman("inspect", self._id(name), f"--format={form}").strip()
