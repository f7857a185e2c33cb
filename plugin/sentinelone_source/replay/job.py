"""Goes through files, and sends what they hold; every step is remembered before the next."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import structlog

from sentinelone_source.azure.ingestion_errors import Misunderstood, TooLong
from sentinelone_source.errors import Retriable, SourceError
from sentinelone_source.replay.chunks import CHUNK, read_chunks
from sentinelone_source.retries import insist
from sentinelone_source.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sentinelone_source.azure.ingestion import Ingestion
    from sentinelone_source.replay.checkpoint import CheckpointFile
    from sentinelone_source.replay.parsing import LineParser, ParsedLine
    from sentinelone_source.replay.refused import Refused

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
PATIENCE = 600.0
STOP_PATIENCE = 20.0
"""Seconds that a request on its way may take when we are told to stop."""
_log = structlog.get_logger()


@dataclass
class Account:
    """What became of a file.

    Attributes:
        rows: delivered, by table.
        dropped: records that the mapping drops.
        wire: bytes sent.
        began: when, by the monotonic clock.
    """

    rows: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    requests: int = 0
    wire: int = 0
    began: float = field(default_factory=time.monotonic)


@dataclass
class Replay:
    """One file on its way to the rule.

    Attributes:
        name: the file's, for messages.
        parser: makes rows of its lines.
        ingestion: where they go; None only counts.
        checkpoint: what is dealt with.
        refused: keeps what cannot be delivered.
        first_wait: seconds before a request is made again; doubled for each further time.
        patience: seconds that the endpoint may stay away before the replay ends.
        advance: told of every chunk, with its bytes.
    """

    name: str
    parser: LineParser
    ingestion: Ingestion | None
    checkpoint: CheckpointFile
    refused: Refused
    first_wait: float = FIRST_WAIT
    patience: float = PATIENCE
    advance: Callable[[int], None] = lambda _: None
    account: Account = field(default_factory=Account)
    _on_its_way: bool = False
    _stopping: bool = False
    _warned: bool = False

    async def run(self, file: BinaryIO) -> None:
        """Deliver a file from the place that was reached.

        Args:
            file: at that place.

        Raises:
            ConfigError: Azure will not take anything of it as things are configured.
            SourceError: it stayed away for too long, or refuses us; or we were told to stop.
        """
        offset = self.checkpoint.position.offset
        coming = read_chunks(file, self.name, offset)
        while chunk := await in_thread(next, coming, None):
            self.checkpoint.chunk_read(chunk.end)
            await self._chunk(chunk.lines)
            self.checkpoint.chunk_done(chunk.end)
            self.advance(chunk.end - offset)
            offset = chunk.end

    def stop(self, task: asyncio.Task[None]) -> None:
        """End soon: at once while waiting, else when the request on its way is answered."""
        self._stopping = True
        patience = STOP_PATIENCE if self._on_its_way else 0.0
        asyncio.get_running_loop().call_later(patience, task.cancel)

    async def _chunk(self, lines: list[bytes]) -> None:
        by_table: dict[str, list[ParsedLine]] = {}
        for line in lines:
            parsed = self.parser.parse(line)
            by_table.setdefault(parsed.table, []).append(parsed)
        self._warn()
        for table, parsed_lines in by_table.items():
            left = parsed_lines[self.checkpoint.position.done.get(table, 0) :]
            for batch in _batches(left):
                await self._deliver(table, batch)

    async def _deliver(self, table: str, lines: list[ParsedLine]) -> None:
        """Deal with lines of one table, and remember it."""
        rows = [line for line in lines if line.row is not None]
        if rows:
            await self._send(table, rows)
        self.refused.add([(line, line.reason) for line in lines if line.reason])
        self.account.dropped += sum(line.row is None and not line.reason for line in lines)
        self.checkpoint.line(table, len(lines))
        if self._stopping:
            raise Stopped(f"{self.name}: stopped. {self.checkpoint.remark}")

    async def _send(self, table: str, lines: list[ParsedLine]) -> None:
        """Send rows; when they are refused for what they are, find out which."""
        try:
            await self._insist(table, [line.row or b"" for line in lines])
        except (TooLong, Misunderstood) as error:
            if len(lines) == 1:
                self.refused.add([(lines[0], str(error))])
                return
            middle = len(lines) // 2
            await self._send(table, lines[:middle])
            await self._send(table, lines[middle:])
        else:
            self.account.rows[table] += len(lines)

    async def _insist(self, table: str, rows: list[bytes]) -> None:
        if self.ingestion is None:
            return
        send, stream = self.ingestion.send, self.parser.streams[table]

        async def attempt() -> None:
            self._on_its_way = True
            try:
                self.account.wire += await in_thread(send, stream, rows)
            finally:
                self._on_its_way = False
                self.account.requests += 1

        try:
            await insist(
                attempt,
                self._worth_another_try,
                first=self.first_wait,
                longest=LONGEST_WAIT,
                patience=self.patience,
            )
        except Retriable as error:
            raise SourceError(f"{error}; given up. {self.checkpoint.remark}") from None

    def _worth_another_try(self, error: Exception) -> bool | float:
        if not isinstance(error, Retriable) or self._stopping:
            return False
        _log.warning("retry", file=self.name, error=str(error), retry_after=error.retry_after)
        return True if error.retry_after is None else max(error.retry_after, 0.1)

    def _warn(self) -> None:
        if self.parser.displaced and not self._warned:
            self._warned = True
            _log.warning(
                "old_rows",
                file=self.name,
                advice="TimeGenerated is more than 2 days old, or more than a day ahead: Azure "
                "puts the time of arrival in its place; CreatedAt and UpdatedAt keep theirs",
            )

    def say(self) -> None:
        """What became of the file, as a line of the log."""
        account = self.account
        _log.info(
            "replayed",
            file=self.name,
            dry_run=self.ingestion is None,
            rows=dict(account.rows),
            refused=self.refused.count,
            dropped=account.dropped,
            old=self.parser.displaced,
            requests=account.requests,
            bytes=account.wire,
            seconds=round(time.monotonic() - account.began, 1),
        )


class Stopped(SourceError):
    """We were told to stop before the end."""


async def until_stopped(replay: Replay, file: BinaryIO) -> None:
    """Run a replay; SIGTERM and SIGINT end it in good order.

    Raises:
        Stopped: they did. Else what `Replay.run` raises.
    """
    task = asyncio.create_task(replay.run(file))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, replay.stop, task)
    try:
        await task
    except asyncio.CancelledError:
        raise Stopped(f"{replay.name}: stopped. {replay.checkpoint.remark}") from None


def _batches(lines: list[ParsedLine]) -> Iterator[list[ParsedLine]]:
    """Lines in order, as many at once as one request should carry; never none."""
    batch: list[ParsedLine] = []
    size = 0
    for line in lines:
        length = len(line.row or b"") + 1
        if batch and size + length > CHUNK:
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += length
    if batch:
        yield batch
