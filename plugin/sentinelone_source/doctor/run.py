"""All checks, in the order in which one thing needs the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentinelone_source.config import check_feed_names, find_config, load_settings
from sentinelone_source.doctor import console, local
from sentinelone_source.doctor.checks import counted, failed, ok, skipped
from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.spec.files import health_table, load_mappings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sentinelone_source.config import Settings
    from sentinelone_source.doctor.checks import Check
    from sentinelone_source.mapping.spec.model import Mapping, TableSpec

_FIRST = "correct this first: every other check needs it"


def run_checks(config: Path | None, *, send_test: bool) -> Iterator[Check]:
    """Every check, as it is done.

    Args:
        config: the configuration file; None for the usual places.
        send_test: deliver one marked row to Azure.
    """
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
        yield from console.check_console(one, enabled)
    yield local.check_state(settings.state_path)
    yield local.check_shipper(settings.handover)
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
