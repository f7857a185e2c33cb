"""Vector, or its stand-in, in a process of its own, with our files made to fit loopback."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from doubles.azure import Azure
from shippers.program import ShipperProgram, free_port
from shippers.vector import ROOT, Document, Way, azure_sinks, load
from support.processes import COMMAND

STAND_IN = [sys.executable, str(ROOT / "tests/doubles/vector.py")]
USER, PASSWORD = "sentinelone", "s3cr3t-0f-the-l1stener"


PROGRAMS = ["stand-in", pytest.param("vector", marks=pytest.mark.shippers)]
"""What tests take as their Vector."""


def command(program: str) -> list[str]:
    """The stand-in, or `$VECTOR`, else `vector` on PATH; without one the test is skipped."""
    if program == "stand-in":
        return STAND_IN
    found = os.environ.get("VECTOR") or shutil.which("vector")
    if not found:
        pytest.skip("no Vector: set VECTOR to its path, or put vector on PATH")
    return [found]


def adapted(way: Way, folder: Path, azure: Azure, source_config: Path) -> Document:
    """One of our files with other addresses, folders, identities and commands, and nothing else.

    Args:
        way: which file.
        folder: for Vector's data and secrets; both are made here.
        azure: where rows go.
        source_config: the configuration that an `exec` source runs with.
    """
    document: Document = json.loads(json.dumps(load(way)))  # its sinks share nothing then
    data, secrets = folder / "vector-data", folder / "secrets"
    data.mkdir()
    secrets.mkdir()
    for name in ("client_secret", "acme", "globex"):
        (secrets / name).write_text("unused\n")
    (secrets / "listener").write_text(PASSWORD + "\n")
    document["data_dir"] = str(data)
    document["secret"]["azure"]["path"] = str(secrets)
    document["healthchecks"] = {"enabled": False}  # they would take the faults meant for rows
    document["api"]["address"] = f"127.0.0.1:{free_port()}"
    document["sinks"]["metrics"]["address"] = f"127.0.0.1:{free_port()}"
    document["sinks"]["unrouted"]["path"] = str(data / "unrouted.ndjson")
    for sink in azure_sinks(document).values():
        sink["endpoint"] = azure.plain.url
        sink["dcr_immutable_id"] = azure.behaviour.dcr_id
        sink["auth"] = {"azure_credential_kind": "managed_identity"}
        sink["request"] |= {"retry_initial_backoff_secs": 1, "retry_max_duration_secs": 2}
        if way != "exec":
            sink["request"]["retry_attempts"] = 1  # so that Vector gives up within the test
    source = document["sources"]["sentinelone"]
    if way != "exec":
        source["address"] = f"127.0.0.1:{free_port()}"
    else:
        source["command"] = [*COMMAND, "run", "--config", str(source_config), "--to", "stdout"]
        source["streaming"]["respawn_interval_secs"] = 1
        for sink in azure_sinks(document).values():
            sink["batch"]["timeout_secs"] = 0.5
    return document


class Vector(ShipperProgram):
    """Vector, or its stand-in.

    Args:
        program: the command, without arguments.
        document: its configuration.
        folder: where it runs; the configuration goes there.
        azure: whose managed identity it uses.
    """

    def __init__(self, program: list[str], document: Document, folder: Path, azure: Azure) -> None:
        self.document = document
        self.config = folder / "vector.yaml"
        environ = {
            "IDENTITY_ENDPOINT": azure.identity_endpoint,
            "IDENTITY_HEADER": azure.behaviour.identity_header,
        }
        address = document["sources"]["sentinelone"].get("address", "")
        self.url = f"http://{address}/"
        port = int(address.rpartition(":")[2]) if address else None
        super().__init__([*program, "--config", str(self.config)], folder, environ, port)

    def start(self) -> None:
        """Returns when it listens, if it does."""
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False))
        super().start()

    @property
    def unrouted(self) -> list[dict[str, Any]]:
        """What it kept, having no sink for it."""
        kept = self.folder / "vector-data/unrouted.ndjson"
        return [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
