"""Checks on this machine: the state directory and the shipper."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sentinelone_source.doctor.checks import counted, failed, ok, skipped, warning
from sentinelone_source.errors import ConfigError, StateError
from sentinelone_source.feed.state.files import STATE_FILE, read_snapshot
from sentinelone_source.http.client import trusted

if TYPE_CHECKING:
    from pathlib import Path

    from sentinelone_source.config import HandoverTable
    from sentinelone_source.doctor.checks import Check

LEAST_FREE = 100_000_000
"""Bytes of free disk below which the state has too little."""
_TIMEOUT = 5.0


def check_state(folder: Path) -> Check:
    """Whether the state directory can be written, has room, and holds a readable state."""
    name = "state"
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(place, os.W_OK | os.X_OK) or not place.is_dir():
        advice = "create the directory and give it to the user that runs this program"
        return failed(name, f"{folder}: cannot be written", advice)
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE:
        return warning(name, f"{folder}: only {free // 1_000_000} MB are free", "free some space")
    if not (folder / STATE_FILE).exists():
        return ok(name, f"{folder}: no state yet; the first run creates it")
    try:
        feeds = len(read_snapshot(folder).swept)
    except StateError as error:
        return failed(name, error)
    return ok(name, f"{folder}: {counted(feeds, 'feed')}, {free // 1_000_000_000} GB free")


def check_shipper(handover: HandoverTable) -> Check:
    """Whether a shipper listens where rows are handed over, with a trusted certificate."""
    name = "shipper"
    if handover.to == "stdout":
        return skipped(name, "rows go to stdout: there is no listener to check")
    try:
        _connect(handover)
    except ConfigError as error:
        return failed(name, error)
    except ssl.SSLError as error:
        found = f"{handover.to}: TLS: {error.reason or error.strerror}"
        return failed(name, found, "see handover.ca_file")
    except OSError as error:
        found = f"{handover.to}: {error.strerror or 'no answer'}"
        return failed(name, found, "start the shipper, or correct handover.to")
    return ok(name, f"{handover.to} listens; no row was sent to it")


def _connect(handover: HandoverTable) -> None:
    parts = urlsplit(handover.to)
    verify = trusted(handover.ca_file, "handover.ca_file")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with socket.create_connection((parts.hostname or "", port), _TIMEOUT) as plain:
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
            context.wrap_socket(plain, server_hostname=parts.hostname).close()
