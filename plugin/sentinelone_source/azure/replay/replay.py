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
from sentinelone_source.azure.replay.lines import WINDOW, windows
from sentinelone_source.errors import Retriable, SourceError
from sentinelone_source.retries import insist
from sentinelone_source.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sentinelone_source.azure.ingestion import Ingestion
    from sentinelone_source.azure.replay.progress import Progress
    from sentinelone_source.azure.replay.refused import Refused
    from sentinelone_source.azure.replay.rows import Item, Reader

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
PATIENCE = 600.0
"""Seconds that an endpoint may stay away before the replay ends."""
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
        reader: makes rows of its lines.
        ingestion: where they go; None only counts.
        progress: what is dealt with.
        refused: keeps what cannot be delivered.
        advance: told of every window, with its bytes.
    """

    name: str
    reader: Reader
    ingestion: Ingestion | None
    progress: Progress
    refused: Refused
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
        offset = self.progress.place.offset
        coming = windows(file, self.name, offset)
        while window := await in_thread(next, coming, None):
            await self._window(window.lines)
            self.progress.window(window.end)
            self.advance(window.end - offset)
            offset = window.end

    def stop(self, task: asyncio.Task[None]) -> None:
        """End soon: at once while waiting, else when the request on its way is answered."""
        self._stopping = True
        patience = STOP_PATIENCE if self._on_its_way else 0.0
        asyncio.get_running_loop().call_later(patience, task.cancel)

    async def _window(self, lines: list[bytes]) -> None:
        by_table: dict[str, list[Item]] = {}
        for line in lines:
            item = self.reader.read(line)
            by_table.setdefault(item.table, []).append(item)
        self._warn()
        for table, items in by_table.items():
            left = items[self.progress.place.done.get(table, 0) :]
            for batch in _batches(left):
                await self._deliver(table, batch)

    async def _deliver(self, table: str, items: list[Item]) -> None:
        """Deal with lines of one table, and remember it."""
        rows = [item for item in items if item.row is not None]
        if rows:
            await self._send(table, rows)
        self.refused.add([(item, item.reason) for item in items if item.reason])
        self.account.dropped += sum(item.row is None and not item.reason for item in items)
        self.progress.line(table, len(items))
        if self._stopping:
            raise Stopped(f"{self.name}: stopped. {self.progress.remark}")

    async def _send(self, table: str, items: list[Item]) -> None:
        """Send rows; when they are refused for what they are, find out which."""
        try:
            await self._insist(table, [item.row or b"" for item in items])
        except (TooLong, Misunderstood) as error:
            if len(items) == 1:
                self.refused.add([(items[0], str(error))])
                return
            middle = len(items) // 2
            await self._send(table, items[:middle])
            await self._send(table, items[middle:])
        else:
            self.account.rows[table] += len(items)

    async def _insist(self, table: str, rows: list[bytes]) -> None:
        if self.ingestion is None:
            return
        send, stream = self.ingestion.send, self.reader.streams[table]

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
                first=FIRST_WAIT,
                longest=LONGEST_WAIT,
                patience=PATIENCE,
            )
        except Retriable as error:
            raise SourceError(f"{error}; given up. {self.progress.remark}") from None

    def _worth_another_try(self, error: Exception) -> bool | float:
        if not isinstance(error, Retriable) or self._stopping:
            return False
        _log.warning("retry", file=self.name, error=str(error), retry_after=error.retry_after)
        return True if error.retry_after is None else max(error.retry_after, 0.1)

    def _warn(self) -> None:
        if self.reader.displaced and not self._warned:
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
            old=self.reader.displaced,
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
        raise Stopped(f"{replay.name}: stopped. {replay.progress.remark}") from None


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    """Items in order, as many at once as one request should carry; never none."""
    batch: list[Item] = []
    size = 0
    for item in items:
        length = len(item.row or b"") + 1
        if batch and size + length > WINDOW:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch
