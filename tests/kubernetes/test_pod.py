"""The pod of the real manifests, with the real image, between a console and an Azure on loopback.

What dies here dies by SIGKILL; what stops here stops as the kubelet stops it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kubernetes.kubelite.network import POD
from kubernetes.kubelite.pod import Pod
from kubernetes.kubelite.podman import Podman
from kubernetes.overlays import BROKER_SECRET, TOKEN, configmap, rendered
from kubernetes.stage import Stage, with_identity
from support.living import living
from support.tenancy import NAMES
from support.waiting import until

pytestmark = [pytest.mark.shippers, pytest.mark.timeout(900)]  # images are built before the first
STAND_IN = "localhost/stand-in:test"
NEW_TOKEN = "s3cr3t-0f-the-c0ns0le-2"


@contextmanager
def staged(
    podman: Podman,
    folder: Path,
    source: str,
    shipper: str,
    overlay: str = "fluent-bit-client-secret",
) -> Iterator[Stage]:
    """A tenant with a hundred records, and no pod yet."""
    images = {"source": source, "broker": source, "shipper": shipper}
    manifest, delivers = rendered(overlay), shipper != STAND_IN
    with Stage(podman, manifest, folder, images, delivers=delivers) as stage:
        kinds: dict[str, Any] = dict.fromkeys(NAMES, 20)
        stage.world.populate(over=timedelta(hours=1), **kinds)
        yield stage


@pytest.fixture
def stage(podman: Podman, image: str, shipper_image: str, tmp_path: Path) -> Iterator[Stage]:
    """Once with each shipper."""
    with staged(podman, tmp_path, image, shipper_image) as stage:
        yield stage


@pytest.fixture
def simple(podman: Podman, image: str, stand_in: str, tmp_path: Path) -> Iterator[Stage]:
    """Where the shipper does not matter."""
    with staged(podman, tmp_path, image, stand_in) as stage:
        yield stage


def status(pod: Pod, name: str) -> dict[str, str]:
    """What the kernel says of a container's first process."""
    with open(f"/proc/{pod.pid(name)}/status") as file:  # noqa: PTH123 - no file of a folder
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def test_runs(stage: Stage) -> None:
    """The shipper starts before the source, the pod is ready, and both run without rights."""
    with stage.pod() as pod:
        stage.wait_until_complete()
        assert pod.events == [
            ("started", "shipper"),
            ("up", "shipper"),
            ("started", "source"),
            ("up", "source"),
        ]
        until(pod.ready, "readiness")
        for name in ("shipper", "source"):
            assert pod.probe(name, "livenessProbe")
            kernel = status(pod, name)
            assert kernel["Uid"].split() == ["65532"] * 4
            assert int(kernel["CapEff"], 16) == 0
            assert (kernel["NoNewPrivs"], kernel["Seccomp"]) == ("1", "2")


def test_ports(simple: Stage) -> None:
    """Metrics can be fetched from outside the pod, and rows cannot be sent in."""
    with simple.pod() as pod:
        until(pod.ready, "readiness")
        assert simple.network.get(POD, 9464, "/metrics")[0] == 200
        assert simple.network.get(POD, 2020, "/api/v1/uptime")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            simple.network.connect(POD, 8687, 5.0)


@pytest.mark.parametrize("name", ["source", "shipper"])
def test_killed(stage: Stage, name: str) -> None:
    """A container that is killed is started again, and every row arrives."""
    with stage.pod() as pod:
        with living(stage.world):
            for _ in range(3):
                before = len(stage.lines())
                until(lambda least=before: len(stage.lines()) > least, "more rows")  # type: ignore[misc]
                pod.kill(name)
        assert pod.restarts(name) == 3
        until(lambda: pod.probe(name, "startupProbe"), f"{name} is up again")
        stage.wait_until_complete()
        until(pod.ready, "readiness")


def test_stopped_and_resumed(stage: Stage) -> None:
    """The source stops before the shipper; after the next start each row has arrived once."""
    with living(stage.world):
        with stage.pod() as pod:
            until(lambda: len(stage.lines()) > 100, "rows of a living tenant")
            pod.stop()
            assert [event for event in pod.events if event[0].startswith("stop")] == [
                ("stopping", "source"),
                ("stopped", "source"),
                ("stopping", "shipper"),
                ("stopped", "shipper"),
            ]
            assert (pod.status("source"), pod.status("shipper")) == (0, 0)
        resumed = stage.pod()
    with resumed:
        stage.wait_until_complete()
    arrived = stage.arrived()
    assert len(arrived) == len(set(arrived))


def test_new_token(simple: Stage) -> None:
    """A refused token leaves the pod alive, and a new one in the Secret needs no restart."""
    with simple.pod() as pod:
        simple.wait_until_complete()
        simple.console.tokens.clear()
        simple.console.tokens.add(NEW_TOKEN)
        until(lambda: '"refused"' in pod.logs("source"), "a refusal")
        simple.world.new_threat()
        assert pod.probe("source", "livenessProbe")
        [secret] = simple.manifest.of("Secret")
        secret["stringData"]["sentinelone-token"] = NEW_TOKEN
        pod.volumes.refresh()
        simple.wait_until_complete()
        assert pod.restarts("source") == 0
        assert not any(token in pod.logs("source") for token in (TOKEN, NEW_TOKEN))


def test_own_mapping(simple: Stage) -> None:
    """A mapping file in the users' ConfigMap is used."""
    columns = 'table = "SentinelOneGroups_CL"\n[columns]\nCreator = false\n'
    name = "sentinelone-source-mappings"
    simple.manifest.objects.append(
        {"kind": "ConfigMap", "metadata": {"name": name}, "data": {"groups.toml": columns}}
    )
    with simple.pod():
        until(lambda: any(b"Groups_CL" in row for row in simple.arrived()), "groups")
    assert not any(b'"Creator"' in row for row in simple.arrived() if b"Groups_CL" in row)


def test_wrong_configuration(simple: Stage) -> None:
    """A wrong key in config.toml stops the start, and the log names it."""
    configmap(simple.manifest, "config")["config.toml"] += "\n[handovr]\n"
    [container] = simple.manifest.pod["spec"]["containers"]
    container["startupProbe"]["failureThreshold"] = 3
    with pytest.raises(AssertionError, match="handovr"), simple.pod():
        pass


def test_workload_identity(
    podman: Podman, azure_image: str, shipper_image: str, tmp_path: Path
) -> None:
    """Fluent Bit gets tokens by workload identity, and the broker refuses a wrong secret."""
    overlay = "fluent-bit-workload-identity"
    with staged(podman, tmp_path, azure_image, shipper_image, overlay) as stage:
        with_identity(stage)
        with stage.pod() as pod:
            stage.wait_until_complete()
            for secret, wanted in ((BROKER_SECRET, 200), ("another", 401)):
                form = f"grant_type=client_credentials&client_id=x&client_secret={secret}"
                answer = stage.network.request("POST", ("127.0.0.1", 8688), "/token", form)
                assert answer[0] == wanted, (answer, pod.logs("broker"))
            pod.stop()
            assert pod.events[0] == ("started", "broker")
            assert pod.events[-1] == ("stopped", "broker")
            assert pod.status("broker") == 0
        assert {one.credential for one in stage.azure.token_requests} == {"assertion"}


@pytest.mark.parametrize("name", ["source", "shipper"])
def test_vector(
    podman: Podman, image: str, vector_stand_in: str, tmp_path: Path, name: str
) -> None:
    """Vector's overlay delivers every row though one side is killed, and stops Vector last."""
    overlay = "vector-workload-identity"
    with staged(podman, tmp_path, image, vector_stand_in, overlay) as stage, stage.pod() as pod:
        with living(stage.world):
            until(lambda: len(stage.lines()) > 50, "rows")
            pod.kill(name)
        stage.wait_until_complete()
        until(pod.ready, "readiness")
        assert stage.network.get(POD, 9599, "/metrics")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            stage.network.connect(POD, 8687, 5.0)
        pod.stop()
        assert pod.events[-1] == ("stopped", "shipper")
        assert (pod.status("source"), pod.status("shipper")) == (0, 0)
