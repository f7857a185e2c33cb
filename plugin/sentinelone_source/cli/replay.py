"""`replay`: rows and dead letters to the Data Collection Rule, directly."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from sentinelone_source.cli.options import config_option
from sentinelone_source.config import load_settings
from sentinelone_source.errors import ConfigError, SourceError, StateLocked

if TYPE_CHECKING:
    from sentinelone_source.azure.ingestion import Ingestion
    from sentinelone_source.config import Settings
    from sentinelone_source.replay.parsing import LineParser


@click.command("replay")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@config_option
@click.option(
    "--refused",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where refused rows go, with reasons; else FILE.refused.ndjson.",
)
@click.option("--restart", is_flag=True, help="Begin at the files' beginning, whatever was sent.")
@click.option("--dry-run", is_flag=True, help="Read and map; send nothing, write nothing.")
def command(
    files: tuple[str, ...],
    config: Path | None,
    refused: Path | None,
    restart: bool,
    dry_run: bool,
) -> None:
    """Send NDJSON rows or dead letters to the Data Collection Rule.

    FILE holds rows as `run` writes them, or dead letters, which are mapped again; `-` is standard
    input. A replay that was cut off goes on where it stopped.
    """
    from sentinelone_source.mapping.files import load_mappings
    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    settings = load_settings(config)
    mappings = load_mappings(settings.mappings_path)
    from sentinelone_source.replay.parsing import LineParser

    left = 0
    with _ingestion(settings, dry_run) as (ingestion, target):
        orders = [_Order(name, refused, target, restart, dry_run) for name in files]
        for order in orders:
            left += order.carry_out(LineParser(mappings), ingestion)
    if left:
        raise SourceError(f"{left} could not be delivered; the file of refused rows says why")


class _Order:
    """One file of the command line, and how to replay it."""

    def __init__(
        self, name: str, refused: Path | None, target: str, restart: bool, dry_run: bool
    ) -> None:
        from sentinelone_source.replay.refused import SUFFIX, Refused

        self.name = "standard input" if name == "-" else name
        self.path = None if name == "-" else Path(name)
        if self.path is not None and not self.path.is_file():
            raise ConfigError(f"{name}: no such file")
        kept = refused or Path(("replay" if name == "-" else name) + SUFFIX)
        if self.path is not None and kept.resolve() == self.path.resolve():
            raise ConfigError(f"--refused: {kept}: is what is to be replayed; name another file")
        self.refused = Refused(None if dry_run else kept)
        self._target, self._restart, self._keep = target, restart, not dry_run

    def carry_out(self, parser: LineParser, ingestion: Ingestion | None) -> int:
        """Replay the file; gives how many lines were refused."""
        from sentinelone_source.replay.checkpoint import CheckpointFile
        from sentinelone_source.replay.job import Replay, until_stopped

        with self._open() as file:
            checkpoint = CheckpointFile(
                self.path, file, self._target, restart=self._restart, keep=self._keep
            )
            if self.path is not None:
                file.seek(checkpoint.position.offset)
            replay = Replay(self.name, parser, ingestion, checkpoint, self.refused)
            try:
                with self._bar(checkpoint.position.offset) as replay.advance:
                    asyncio.run(until_stopped(replay, file))
            finally:
                replay.say()
        return self.refused.count

    @contextlib.contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        if self.path is None:
            # not sys.stdin: its end waits for a thread that may read from it for ever
            yield os.fdopen(0, "rb", closefd=False)
            return
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read: {error.strerror}") from None
        with file:
            _lock(file, self.path)
            yield file

    @contextlib.contextmanager
    def _bar(self, offset: int) -> Iterator[Callable[[int], None]]:
        """CheckpointFile, where somebody looks."""
        if self.path is None or not sys.stderr.isatty():
            yield lambda _: None
            return
        length = self.path.stat().st_size - offset
        with click.progressbar(length=length, label=self.name, file=sys.stderr) as bar:
            yield bar.update


def _lock(file: BinaryIO, path: Path) -> None:
    """Two replays of one file would send everything twice."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StateLocked(f"{path}: another process replays it") from None
    except OSError:
        return  # a file system without locks


@contextlib.contextmanager
def _ingestion(settings: Settings, dry_run: bool) -> Iterator[tuple[Ingestion | None, str]]:
    """Where rows go, and its name; nowhere when nothing is to be sent."""
    from sentinelone_source.config.azure import azure_settings

    azure = azure_settings(settings)
    if dry_run:
        yield None, azure.dcr_immutable_id
        return
    azure.need("endpoint", "dcr_immutable_id")
    from sentinelone_source.azure.credential import Credential
    from sentinelone_source.azure.ingestion import Ingestion

    ingestion = Ingestion(azure, Credential(azure))
    try:
        yield ingestion, azure.dcr_immutable_id
    finally:
        ingestion.close()
