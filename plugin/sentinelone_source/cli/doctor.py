"""`doctor`: everything between a console and the workspace, looked at."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from sentinelone_source.cli.options import config_option
from sentinelone_source.config import check_feed_names, find_config, load_settings
from sentinelone_source.errors import EXIT_FAILED, EXIT_OK, ConfigError, StateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentinelone_source.config import Settings
    from sentinelone_source.doctor.checks import Check
    from sentinelone_source.mapping.model import Mapping

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "blue"}
_NAME = 44
_LITTLE = 100_000_000
"""Bytes of free disk below which the state has too little."""


@click.command("doctor")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a check.")
@click.option("--send-test", is_flag=True, help="Deliver one marked row, too.")
def command(config: Path | None, as_json: bool, send_test: bool) -> None:
    """Look at everything between the consoles and the workspace; exit status 1 if it is broken.

    Only reads, takes no lock, and shows no secret.
    """
    broken = False
    for check in _checks(config, send_test):
        broken |= check.status == "failed"
        click.echo(msgspec.json.encode(check) if as_json else _line(check))
    sys.exit(EXIT_FAILED if broken else EXIT_OK)


def _checks(config: Path | None, send_test: bool) -> Iterator[Check]:
    from sentinelone_source.doctor import source
    from sentinelone_source.doctor.checks import failed, ok, skipped

    try:
        settings = load_settings(config)
        settings.refuse_placeholders()
    except ConfigError as error:
        yield failed("configuration", error, "nothing else can be looked at before this is right")
        return
    consoles = len(settings.consoles)
    where = str(find_config(config) or "from the environment alone")
    yield ok("configuration", f"{where}: {consoles} console{'s' * (consoles != 1)}")
    try:
        mappings = _mappings(settings)
    except ConfigError as error:
        yield failed("mappings", error, "nothing else can be looked at before this is right")
        return
    enabled = [one for one in mappings if settings.feed(one.name).enabled]
    yield ok("mappings", f"{len(mappings)} tables, {len(enabled)} of them polled")
    if not consoles:
        yield skipped("consoles", "there is none", "add [[consoles]], or set SENTINELONE_URL")
    for console in settings.consoles:
        yield from source.console(console, enabled)
    yield _state(settings.state_path)
    yield source.shipper(settings.handover)
    yield from _azure(settings, mappings, send_test)


def _mappings(settings: Settings) -> list[Mapping]:
    from sentinelone_source.mapping.files import load_mappings
    from sentinelone_source.mapping.mapper import Mapper

    mappings = load_mappings(settings.mappings_path)
    check_feed_names(settings, list(mappings))
    return [Mapper(mapping).mapping for mapping in mappings.values()]


def _azure(settings: Settings, mappings: list[Mapping], send_test: bool) -> Iterator[Check]:
    from sentinelone_source.doctor.azure_checks import run_azure_checks

    return run_azure_checks(settings, mappings, send_test=send_test)


def _state(folder: Path) -> Check:
    """Whether the state can be kept, and read."""
    from sentinelone_source.doctor.checks import failed, ok, warning
    from sentinelone_source.feed.glance import glance
    from sentinelone_source.feed.storage import FILE

    name = "state"
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(place, os.W_OK | os.X_OK) or not place.is_dir():
        advice = "make the directory and give it to the user that runs this program"
        return failed(name, f"{folder}: cannot be written by us", advice)
    free = shutil.disk_usage(place).free
    if free < _LITTLE:
        return warning(name, f"{folder}: only {free // 1_000_000} MB are free", "make room")
    if not (folder / FILE).exists():
        return ok(name, f"{folder}: nothing yet; the first run makes it")
    try:
        feeds = len(glance(folder).swept)
    except StateError as error:
        return failed(name, error)
    return ok(name, f"{folder}: {feeds} feed{'s' * (feeds != 1)}, {free // 1_000_000_000} GB free")


def _line(check: Check) -> str:
    status = click.style(check.status.ljust(7), fg=_COLOURS[check.status])
    line = f"{status}  {check.check.ljust(_NAME)}  {check.found}"
    return f"{line}\n{'':{_NAME + 9}}  → {check.advice}" if check.advice else line
