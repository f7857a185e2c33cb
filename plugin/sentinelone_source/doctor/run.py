"""All checks, in the order in which one thing needs the other, and those of this machine."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from sentinelone_source.aligned import counted
from sentinelone_source.config.defaults import HandoverTable
from sentinelone_source.config.settings import (
    Settings,
    check_feed_names,
    find_config,
    load_settings,
)
from sentinelone_source.doctor.checks import Check, failed, ok, skipped, warning
from sentinelone_source.doctor.console import check_console
from sentinelone_source.errors import ConfigError, StateError
from sentinelone_source.feed.state.files import STATE_FILE, read_snapshot
from sentinelone_source.http.connections import trusted
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.spec.files import health_table, load_mappings
from sentinelone_source.mapping.spec.model import Mapping, TableSpec
from sentinelone_source.timings import DEFAULTS

LEAST_FREE = 100_000_000
"""Bytes of free disk below which the state has too little."""
_FIRST = "correct this first: every other check needs it"


def run_checks(config: Path | None, *, send_test: bool) -> Iterator[Check]:
    """Every check, as it is done; `send_test` delivers one marked row to Azure."""
    try:
        settings = load_settings(config)
        settings.refuse_placeholders()
    except ConfigError as error:
        yield failed("configuration", error, _FIRST)
        return
    where = find_config(config) or "from the environment alone"
    yield ok("configuration", f"{where}: {counted(len(settings.consoles), 'console')}")
    try:
        mappings = _mappings(settings)
    except ConfigError as error:
        yield failed("mappings", error, _FIRST)
        return
    enabled = [one for one in mappings if settings.is_enabled(one.name, one.enabled)]
    yield ok("mappings", f"{len(mappings)} tables, {len(enabled)} of them polled")
    if not settings.consoles:
        yield skipped("consoles", "none is configured", "add [[consoles]], or set SENTINELONE_URL")
    for one in settings.consoles:
        yield from check_console(one, enabled)
    yield _check_state(settings.state_path)
    yield _check_shipper(settings.handover)
    from sentinelone_source.doctor.azure_checks import run_azure_checks

    # A table of a feed that is off by default need not be deployed.
    tables: list[TableSpec] = [one for one in mappings if one.enabled or one in enabled]
    if settings.health_interval:
        tables.append(health_table(settings.mappings.columns, settings.mappings.where))
    yield from run_azure_checks(settings, tables, send_test=send_test)


def _mappings(settings: Settings) -> list[Mapping]:
    """The mappings, compiled, so that every mistake in them shows."""
    mappings = load_mappings(*settings.mappings)
    check_feed_names(settings, list(mappings))
    return [Mapper(mapping).mapping for mapping in mappings.values()]


def _check_state(folder: Path) -> Check:
    """Whether the state directory can be written, has room, and holds a readable state."""
    name = "state"
    place = next(path for path in (folder, *folder.absolute().parents) if os.access(path, os.F_OK))
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


def _check_shipper(handover: HandoverTable) -> Check:
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
    with socket.create_connection((parts.hostname or "", port), DEFAULTS.doctor_connect) as plain:
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
            context.wrap_socket(plain, server_hostname=parts.hostname).close()
