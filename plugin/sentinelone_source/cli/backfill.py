"""`backfill`: a span of the past."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from sentinelone_source.cli.options import (
    config_option,
    read_moment,
    rows_on_terminal,
    table_option,
    to_option,
    with_destination,
)
from sentinelone_source.config.settings import load_settings


@click.command("backfill")
@config_option
@table_option
@click.option(
    "--since",
    required=True,
    metavar="T",
    help="The first position: a timestamp, or a duration back such as 30d.",
)
@click.option("--until", metavar="T", help="The end, exclusive. Default: where `run` began.")
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    metavar="N",
    default=8,
    show_default=True,
    help="How many windows are read at a time, from 1 to 64.",
)
@click.option("--restart", is_flag=True, help="Forget how far an earlier backfill came.")
@to_option
def command(  # noqa: PLR0913 - its options
    config: Path | None,
    tables: tuple[str, ...],
    since: str,
    until: str | None,
    to: str | None,
    *,
    parallel: int,
    restart: bool,
) -> None:
    """Read a span of the past and hand its rows over, beside a running poller.

    The same command continues a backfill that was stopped or killed.
    """
    from sentinelone_source.cli.progress import ProgressDisplay
    from sentinelone_source.history.backfill import BackfillOptions, build_backfill
    from sentinelone_source.history.plan import Arguments, PastSpan
    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    settings = with_destination(load_settings(config), to)
    end = None if until is None else read_moment(until, "--until")
    span = PastSpan.of(read_moment(since, "--since"), end)
    arguments = Arguments(since, until, sorted(set(tables)))
    with (
        ProgressDisplay("backfill", bar=not rows_on_terminal(settings)) as progress,
        build_backfill(
            settings, arguments, BackfillOptions(span, parallel, restart, progress.show)
        ) as backfill,
    ):
        status = asyncio.run(backfill.run())
    sys.exit(status)
