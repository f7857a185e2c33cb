"""Shippers that are installed here, with our configurations, pointed at the loopback Azure."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import tomli

from sentinelone_source.demo.dce.azure import DemoAzure
from sentinelone_source.demo.dce.report import managed_identity, variables
from sentinelone_source.errors import SourceError

PATIENCE = 30.0
"""Seconds until a shipper must listen."""
_END = 10.0
_OTHERS = ("AZURE_", "SENTINELONE_", "IDENTITY_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_")


def surroundings(azure: DemoAzure) -> dict[str, str]:
    """This environment, with the loopback Azure's identity and authority in place of others."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OTHERS)}
    trust = {"SSL_CERT_FILE": str(azure.ca_file), "NO_PROXY": "127.0.0.1,localhost"}
    return kept | variables(azure) | trust


class Shipper(NamedTuple):
    """A program that is installed; `prepare` gives its arguments, and its environment."""

    name: str
    program: str
    prepare: Callable[[DemoAzure, Path, int], tuple[list[str], dict[str, str]]]


def installed() -> Shipper | None:
    """Fluent Bit or Vector: where FLUENT_BIT or VECTOR says, else on the PATH; None for neither."""
    for name, variable, command, prepare in (
        ("Fluent Bit", "FLUENT_BIT", "fluent-bit", _fluent_bit),
        ("Vector", "VECTOR", "vector", _vector),
    ):
        if program := os.environ.get(variable) or shutil.which(command):
            return Shipper(name, program, prepare)
    return None


@contextlib.contextmanager
def running(shipper: Shipper, azure: DemoAzure, folder: Path) -> Iterator[str]:
    """Run a shipper; gives the URL that takes rows. Raises SourceError if it does not start."""
    port, log = _free_port(), folder / "shipper.log"
    arguments, environ = shipper.prepare(azure, folder, port)
    with log.open("wb") as out:
        try:
            process = subprocess.Popen(  # noqa: S603 - what the user has installed
                [shipper.program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=folder,
                env=surroundings(azure) | environ,
            )
        except OSError as error:
            raise SourceError(f"{shipper.program}: {error.strerror}") from None
    try:
        _wait(shipper, process, port, log)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(shipper: Shipper, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    said = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
    raise SourceError(f"{shipper.name} ({shipper.program}) does not start; it says: {said[-1]}")


def _fluent_bit(_: DemoAzure, folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    environ = {
        "FLUENT_BIT_STORAGE": str(folder / "storage"),
        "FLUENT_BIT_PORT": str(port),
        "FLUENT_BIT_HTTP_PORT": str(_free_port()),
    }
    return ["--config", str(_shipped("fluent-bit/http.yaml"))], environ


def _vector(azure: DemoAzure, folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """Vector takes nothing from the environment, so its configuration is written anew."""
    document = tomli.loads(_shipped("vector/http.toml").read_text())
    data = folder / "vector"
    data.mkdir()
    document["data_dir"] = str(data)
    del document["secret"]
    document["api"]["address"] = f"127.0.0.1:{_free_port()}"
    document["sources"]["sentinelone"]["address"] = f"127.0.0.1:{port}"
    for sink in document["sinks"].values():
        _point(sink, azure, data)
    config = folder / "vector.json"
    config.write_bytes(msgspec.json.encode(document))
    return ["--config", str(config)], managed_identity(azure)


def _point(sink: dict[str, Any], azure: DemoAzure, data: Path) -> None:
    if sink["type"] == "azure_logs_ingestion":
        sink["endpoint"] = azure.plain.url
        sink["dcr_immutable_id"] = azure.behaviour.dcr_id
        sink["auth"] = {"azure_credential_kind": "managed_identity"}
    elif "address" in sink:
        sink["address"] = f"127.0.0.1:{_free_port()}"
    elif "path" in sink:
        sink["path"] = str(data / "unrouted.ndjson")


def _shipped(name: str) -> Path:
    """A configuration that comes with the package: inside the wheel, or beside the source tree."""
    here = Path(__file__).parent
    inside = here / name
    return inside if inside.is_file() else here.parents[2] / name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
