"""`run`: the poller."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
import msgspec

from sentinelone_source.cli.broker import serving
from sentinelone_source.cli.options import config_option, table_option
from sentinelone_source.config import check_destination, load_settings


@click.command("run")
@config_option
@table_option
@click.option("--once", is_flag=True, help="Sweep every feed once, then stop.")
@click.option("--to", metavar="stdout|URL", help="Where rows go. Overrides `[handover] to`.")
@click.option("--broker", is_flag=True, help="Also serve tokens for Fluent Bit, as `broker` does.")
def command(
    config: Path | None, tables: tuple[str, ...], once: bool, to: str | None, broker: bool
) -> None:
    """Poll the consoles and hand rows over until a stop signal."""
    from sentinelone_source.service import build_service
    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    settings = load_settings(config)
    if to is not None:
        check_destination(to, "--to")
        handover = msgspec.structs.replace(settings.handover, to=to)
        settings = msgspec.structs.replace(settings, handover=handover)
    with serving(settings, wanted=broker), build_service(settings, tables, once=once) as service:
        status = asyncio.run(service.run())
    sys.exit(status)
