"""`run`: the poller."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentinelone_source.cli.options import (
    config_option,
    rows_on_terminal,
    table_option,
    to_option,
    with_destination,
)
from sentinelone_source.config.settings import load_settings

if TYPE_CHECKING:
    from sentinelone_source.service import Service


@click.command("run")
@config_option
@table_option
@click.option("--once", is_flag=True, help="Sweep every feed once, settle its rows, and stop.")
@to_option
@click.option("--broker", is_flag=True, help="Also serve tokens for Fluent Bit, as `broker` does.")
def command(
    config: Path | None, tables: tuple[str, ...], once: bool, to: str | None, broker: bool
) -> None:
    """Poll every enabled feed of every console and hand rows over, until a stop signal."""
    from sentinelone_source.service import build_service
    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    settings = with_destination(load_settings(config), to)
    with contextlib.ExitStack() as stack:
        if broker:
            from sentinelone_source.azure.broker import brokering
            from sentinelone_source.config.azure import azure_settings

            stack.enter_context(brokering(azure_settings(settings)))
        service = stack.enter_context(build_service(settings, tables, once=once))
        if sys.stderr.isatty() and not rows_on_terminal(settings):
            service.background = [*service.background, partial(_show_first_sweeps, service)]
        status = asyncio.run(service.run())
    sys.exit(status)


async def _show_first_sweeps(service: Service) -> None:
    """Show people the rows, until every feed has been swept: a first inventory takes its time."""
    from sentinelone_source.cli.progress import ProgressDisplay

    with ProgressDisplay("run") as progress:
        await progress.follow(
            lambda: sum(feed.counts.rows for feed in service.feeds),
            lambda: any(feed.last_success is None for feed in service.feeds),
        )
