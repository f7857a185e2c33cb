"""`replay`: rows and dead letters to the Data Collection Rule, directly."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentinelone_source.cli.options import config_option
from sentinelone_source.config.settings import load_settings
from sentinelone_source.errors import SourceError

if TYPE_CHECKING:
    from sentinelone_source.replay.job import ReplayJob


@click.command("replay")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@config_option
@click.option(
    "--refused",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write refused rows with their reasons to this file. Default: `FILE.refused.ndjson`.",
)
@click.option(
    "--restart", is_flag=True, help="Send the files from their beginning, whatever was sent before."
)
@click.option("--dry-run", is_flag=True, help="Read and map, but send and write nothing.")
def command(
    files: tuple[str, ...],
    config: Path | None,
    refused: Path | None,
    restart: bool,
    dry_run: bool,
) -> None:
    """Send NDJSON rows or dead letters directly to the Data Collection Rule, without a shipper.

    FILE holds rows as `run` writes them, or dead letters. `-` is standard input. An interrupted
    replay continues where it stopped.
    """
    from sentinelone_source.azure.credential import Credential
    from sentinelone_source.azure.ingestion import Ingestion
    from sentinelone_source.config.azure import azure_settings
    from sentinelone_source.mapping.spec.files import load_mappings, load_tables
    from sentinelone_source.replay.job import ReplayJob
    from sentinelone_source.replay.parsing import LineParser
    from sentinelone_source.replay.sender import Sender
    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    settings = load_settings(config)
    mappings = load_mappings(*settings.mappings)
    streams = {one.table: one.stream for one in load_tables(*settings.mappings)}
    urls = {console.name: console.url for console in settings.consoles}
    azure = azure_settings(settings)
    ingestion = None
    with contextlib.ExitStack() as stack:
        if not dry_run:
            azure.need("endpoint", "dcr_immutable_id")
            client = Ingestion(azure, Credential(azure))
            ingestion = stack.enter_context(contextlib.closing(client))
        jobs = [
            ReplayJob(
                name,
                azure.dcr_immutable_id,
                LineParser(mappings, urls),
                Sender(ingestion, streams, name),
                refused,
                restart,
                dry_run,
            )
            for name in files
        ]
        left = sum(map(_run, jobs))
    if left:
        raise SourceError(f"{left} could not be delivered; the file of refused rows says why")


def _run(job: ReplayJob) -> int:
    """Replay a file, and show how far it is."""
    from sentinelone_source.cli.progress import ProgressDisplay

    try:
        with ProgressDisplay("replay") as progress:
            return job.run(progress.show)
    finally:
        job.log_summary()
