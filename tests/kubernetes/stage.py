"""A pod between a console and an Azure, all on a loopback device of their own."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Self

import msgspec

from doubles.azure import Azure
from doubles.console import ScriptedConsole
from doubles.world import World
from kubernetes.kubelite.manifest import Manifest, containers
from kubernetes.kubelite.network import Network
from kubernetes.kubelite.pod import Pod
from kubernetes.kubelite.podman import Podman
from kubernetes.overlays import CLIENT_SECRET, TOKEN, configmap, copied
from support.tenancy import NAMES, lines
from support.waiting import until

Rows = set[bytes]
FEEDS = """
[feeds]
interval = "200ms"
start = "2h"
[feeds.alerts]
rescan_interval = "0s"
"""


class Stage:
    """Console and Azure outlive pods; a context manager.

    Args:
        overlay: what is deployed.
        folder: for volumes and the network.
        images: by container.
        delivers: whether the shipper sends rows on to Azure; else they are in its buffers.
    """

    def __init__(
        self,
        podman: Podman,
        overlay: Manifest,
        folder: Path,
        images: dict[str, str],
        *,
        delivers: bool,
    ) -> None:
        self._podman = podman
        self._folder = folder
        self._images = images
        self._delivers = delivers
        self._stack = ExitStack()
        self.world = World(seed=7)
        self.console = ScriptedConsole(self.world, {TOKEN}, port=8081)
        self.azure = Azure(
            listen=("127.0.0.1", 8690),
            listen_tls=("127.0.0.1", 8691),
            ca_file=folder / "ca.pem",
            client_secret=CLIENT_SECRET,
            keep_times=True,
        )
        self.network = Network(folder / "network")
        self.manifest = self._configured(overlay)

    def __enter__(self) -> Self:
        self._stack.enter_context(self.network)
        for one in (self.console, self.azure):
            self.network.inside(one.start)
            self._stack.callback(one.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def pod(self) -> Pod:
        """A new pod on the volumes of the one before; a context manager."""
        return Pod(self._podman, self.network, self.manifest, self._folder, self._images)

    def lines(self) -> list[tuple[str, bytes]]:
        """Every row that came through, as it came; with its table where the row has none."""
        if self._delivers:
            received = self.azure.received.lines.items()
            return [(table, line) for table, lines in received for line in lines[:]]
        file = self._folder / "claims/sentinelone-source-data/buffers/rows.ndjson"
        whole = file.read_bytes().rpartition(b"\n")[0] if file.exists() else b""
        return [("", line) for line in whole.splitlines()]

    def arrived(self) -> list[bytes]:
        """Every row that came through, in a form that can be compared."""
        return [comparable(table, line) for table, line in self.lines()]

    def missing(self) -> Rows:
        """Rows of records as the console shows them now that have not come through."""
        shown = {
            comparable("", line) for name in NAMES for line in lines(name, self.world.all(name))
        }
        return shown - set(self.arrived())

    def wait_until_complete(self) -> None:
        """Returns when nothing is missing."""
        until(lambda: not self.missing(), "all rows have come through")

    def _configured(self, overlay: Manifest) -> Manifest:
        manifest = copied(overlay)
        config = configmap(manifest, "config")
        url = "https://console.example.invalid"
        assert url in config["config.toml"]
        config["config.toml"] = config["config.toml"].replace(url, self.console.url) + FEEDS
        behaviour = self.azure.behaviour
        authority = (self._folder / "ca.pem").read_text()
        configmap(manifest, "shipper")["ca.pem"] = authority
        configmap(manifest, "config")["ca.pem"] = authority
        given = {
            "DCE_URL": self.azure.endpoint,
            "DCE_CA_FILE": "/etc/shipper/ca.pem",
            "DCR_ID": behaviour.dcr_id,
            "AZURE_TENANT_ID": behaviour.tenant_id,
            "AZURE_CLIENT_ID": behaviour.client_id,
            "AZURE_AUTH_URL": self.azure.token_url,
        }
        if "vector.yaml" in configmap(manifest, "shipper"):
            self._point_vector(manifest)
        else:
            configmap(manifest, "azure").update(given)
        return manifest

    def _point_vector(self, manifest: Manifest) -> None:
        """Vector has no variables; and the stand-in knows only App Service's managed identity."""
        data = configmap(manifest, "shipper")
        behaviour = self.azure.behaviour
        for old, new in (
            (
                "https://dce.example.invalid",
                self.azure.plain.url,
            ),
            ("dcr-00000000000000000000000000000000", behaviour.dcr_id),
            ("workload_identity", "managed_identity"),
        ):
            assert old in data["vector.yaml"]
            data["vector.yaml"] = data["vector.yaml"].replace(old, new)
        given = {
            "IDENTITY_ENDPOINT": self.azure.identity_endpoint,
            "IDENTITY_HEADER": behaviour.identity_header,
        }
        [shipper] = manifest.pod["spec"]["initContainers"]
        shipper["env"] = [{"name": name, "value": value} for name, value in given.items()]


@cache
def comparable(table: str, line: bytes) -> bytes:
    """A row with its table, the same for the same values."""
    row = msgspec.json.decode(line)
    return msgspec.json.encode(row | {"_table": row.get("_table", table)}, order="deterministic")


def with_identity(stage: Stage) -> None:
    """Do what the webhook of Azure's workload identity does with a pod that asks for it."""
    template = stage.manifest.pod
    metadata, volumes = template["metadata"], template["spec"]["volumes"]
    assert metadata["labels"]["azure.workload.identity/use"] == "true"
    token = {"serviceAccountToken": {"path": "token", "audience": "api://AzureADTokenExchange"}}
    volumes.append({"name": "identity", "projected": {"sources": [token]}})
    given = {
        "AZURE_CLIENT_ID": stage.azure.behaviour.client_id,
        "AZURE_TENANT_ID": stage.azure.behaviour.tenant_id,
        "AZURE_FEDERATED_TOKEN_FILE": "/run/secrets/identity/token",
        "AZURE_AUTHORITY_HOST": stage.azure.authority,
        "SSL_CERT_FILE": "/etc/sentinelone-source/ca.pem",
    }
    skipped = metadata["annotations"]["azure.workload.identity/skip-containers"].split(";")
    for container in containers(template):
        if container["name"] not in skipped:
            environ = [{"name": name, "value": value} for name, value in given.items()]
            container["env"] = [*container.get("env", []), *environ]
            container["volumeMounts"].append(
                {"name": "identity", "mountPath": "/run/secrets/identity", "readOnly": True}
            )
