"""One file from its checkpoint to its end: read, made rows, sent; each step is remembered."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import structlog
from msgspec.structs import replace

from sentinelone_source.errors import ConfigError, StateLocked
from sentinelone_source.handover.dead_letters import append
from sentinelone_source.replay.checkpoint import CheckpointFile
from sentinelone_source.replay.parsing import Chunk, LineParser, ParsedLine, read_chunks
from sentinelone_source.replay.sender import Interrupted, Sender
from sentinelone_source.worker_threads import in_thread

SUFFIX = ".refused.ndjson"
_log = structlog.get_logger()


@dataclass
class ReplayJob:
    """A file that is to be replayed; `-` is standard input.

    Attributes:
        target: the rule that its rows go to.
        refused: the file for refused rows, if not the one beside the file.
        restart: begin at the file's beginning, whatever was delivered.

    Raises:
        ConfigError: there is no such file, it cannot be read, or it would be written to.
    """

    name: str
    target: str
    parser: LineParser
    sender: Sender
    refused: Path | None = None
    restart: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        self._path = None if self.name == "-" else Path(self.name)
        self._kept = self.refused or Path(("replay" if self._path is None else self.name) + SUFFIX)
        self._size = _checked_size(self.name, self._kept) if self._path else None
        self.name = self.name if self._path else "standard input"
        self._refused = self._dropped = 0
        self._warned = False
        self._began = time.monotonic()

    def run(self, show: Callable[[float | None, int], None] = lambda *_: None) -> int:
        """Deliver the file; returns how many lines cannot be delivered.

        `show` is told the part of the file that is delivered, if its size is known, and the rows.

        Raises:
            SourceError: the replay ended early, and why.
        """
        with self._open() as file:
            checkpoint = CheckpointFile(
                self._path, file, self.target, restart=self.restart, keep=not self.dry_run
            )
            if self._path is not None:
                file.seek(checkpoint.position.offset)
            chunks = read_chunks(file, self.name, checkpoint.position.offset)
            try:
                asyncio.run(self._until_stopped(self._deliver(chunks, checkpoint, show)))
            except Interrupted as error:
                raise Interrupted(f"{self.name}: {error}. {checkpoint.remark}") from None
        return self._refused

    async def _until_stopped(self, delivery: Coroutine[None, None, None]) -> None:
        """SIGTERM and SIGINT end a wait at once, and let a request under way be answered."""
        task = asyncio.create_task(delivery)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            self.sender.stopping = True
            patience = self.sender.timings.replay_stop if self.sender.under_way else 0.0
            loop.call_later(patience, task.cancel)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        try:
            await task
        except asyncio.CancelledError:
            raise Interrupted("stopped") from None

    async def _deliver(
        self,
        chunks: Iterator[Chunk],
        checkpoint: CheckpointFile,
        show: Callable[[float | None, int], None],
    ) -> None:
        while chunk := await in_thread(next, chunks, None):
            checkpoint.position.read = chunk.end
            by_table: dict[str, list[ParsedLine]] = {}
            for line in map(self.parser.parse, chunk.lines):
                by_table.setdefault(line.table, []).append(line)
            self._warn_of_old_rows()
            for table, lines in by_table.items():
                if left := lines[checkpoint.position.done.get(table, 0) :]:
                    await self._deliver_lines(table, left)
                    checkpoint.lines_done(table, len(left))
                    if self.sender.stopping:
                        raise Interrupted("stopped")
            checkpoint.chunk_done(chunk.end)
            done = min(1.0, chunk.end / self._size) if self._size else None  # the file may grow
            show(done, sum(self.sender.rows.values()))

    async def _deliver_lines(self, table: str, lines: list[ParsedLine]) -> None:
        refused = await self.sender.send(table, [line for line in lines if line.row is not None])
        refused += [line for line in lines if line.reason]
        self._refused += len(refused)
        if refused and not self.dry_run:
            append(self._kept, [replace(line.letter, reason=line.reason) for line in refused])
        self._dropped += sum(line.row is None and not line.reason for line in lines)

    @contextlib.contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        if self._path is None:
            # not sys.stdin: closing it waits for a thread that may read from it for ever
            yield os.fdopen(0, "rb", closefd=False)
            return
        try:
            file = self._path.open("rb")
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be read: {error.strerror}") from None
        with file:
            _lock(file, self._path)
            yield file

    def _warn_of_old_rows(self) -> None:
        if self.parser.displaced and not self._warned:
            self._warned = True
            _log.warning(
                "old_rows",
                file=self.name,
                advice="TimeGenerated is more than 2 days old, or more than a day ahead: Azure "
                "puts the time of arrival in its place; CreatedAt and UpdatedAt keep theirs",
            )

    def log_summary(self) -> None:
        """Say what became of the file."""
        sender = self.sender
        _log.info(
            "replayed",
            file=self.name,
            dry_run=self.dry_run,
            rows=dict(sender.rows),
            refused=self._refused,
            dropped=self._dropped,
            old=self.parser.displaced,
            requests=sender.requests,
            bytes=sender.sent,
            seconds=round(time.monotonic() - self._began, 1),
        )


def _checked_size(name: str, kept: Path) -> int:
    """Bytes of a file to replay. Raises ConfigError."""
    path = Path(name)
    try:
        found = path.is_file()
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from error
    if not found:
        raise ConfigError(f"{name}: no such file")
    if kept.resolve() == path.resolve():
        raise ConfigError(f"--refused: {kept}: is the file to replay; name another one")
    return path.stat().st_size


def _lock(file: BinaryIO, path: Path) -> None:
    """Two replays of one file would send everything twice."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StateLocked(f"{path}: another process replays it") from None
    except OSError:
        return  # a file system without locks
