"""Sends rows to the Data Collection Rule: again while it is away, in halves if it refuses some."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import structlog

from sentinelone_source.azure.ingestion import Ingestion, Misunderstood, TooLong
from sentinelone_source.errors import Retriable, SourceError
from sentinelone_source.http.retry import Backoff
from sentinelone_source.replay.parsing import ParsedLine
from sentinelone_source.timings import DEFAULTS, Timings
from sentinelone_source.worker_threads import in_thread

_log = structlog.get_logger()


class Interrupted(SourceError):
    """The replay ends before the end of its file; the same command continues from there."""


@dataclass
class Sender:
    """Sends rows of one file, and counts `rows` by table and `sent` bytes; `ingestion` may be None.

    `under_way` means that a request is being answered, `stopping` that nothing is tried again.
    """

    ingestion: Ingestion | None
    streams: dict[str, str]
    file: str
    timings: Timings = DEFAULTS
    rows: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    sent: int = 0
    under_way: bool = False
    stopping: bool = False

    async def send(self, table: str, lines: list[ParsedLine]) -> list[ParsedLine]:
        """Send rows; returns those that are refused for what they are, with the reason.

        Raises:
            ConfigError: Azure will not take anything of them as things are configured.
            Interrupted: it stayed away for too long.
            SourceError: it refuses us.
        """
        if not lines:
            return []
        try:
            await self._retry(table, [line.row or b"" for line in lines])
        except (TooLong, Misunderstood) as error:
            if len(lines) == 1:
                return [replace(lines[0], reason=str(error))]
            middle = len(lines) // 2
            refused = await self.send(table, lines[:middle])
            return refused + await self.send(table, lines[middle:])
        self.rows[table] += len(lines)
        return []

    async def _retry(self, table: str, rows: list[bytes]) -> None:
        if self.ingestion is None:
            return
        timings = self.timings
        backoff = Backoff(
            timings.replay_first_retry, timings.replay_longest_retry, timings.replay_patience
        )
        while True:
            try:
                await self._attempt(self.ingestion, table, rows)
            except Retriable as error:
                if not self.stopping:
                    asked = error.retry_after
                    _log.warning("retry", file=self.file, error=str(error), retry_after=asked)
                if self.stopping or not await backoff.wait(error):
                    raise Interrupted(f"{error}; given up") from None
            else:
                return

    async def _attempt(self, ingestion: Ingestion, table: str, rows: list[bytes]) -> None:
        self.under_way = True
        try:
            self.sent += await in_thread(ingestion.send, self.streams[table], rows)
        finally:
            self.under_way = False
            self.requests += 1
