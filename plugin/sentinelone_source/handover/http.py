"""Rows by HTTP: settled by the shipper's 2xx, sent again and again until then."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import socket
import time
from collections import deque
from collections.abc import Awaitable, Iterable
from urllib.parse import urlsplit

import structlog

from sentinelone_source.errors import Declined, ReaderGone, Retriable
from sentinelone_source.handover.batches import CompressedBatch
from sentinelone_source.handover.client import ShipperClient
from sentinelone_source.handover.sink import Receipt, Refusal, Sink
from sentinelone_source.http.retry import Backoff
from sentinelone_source.timings import DEFAULTS, Timings
from sentinelone_source.worker_threads import in_thread

REFUSALS = 3
"""How often in a row a batch is refused before it is halved."""
ROUNDS = 3
"""How often a lone line is refused so many times, if other lines of its batch were taken before."""
_MOST_DOUBTS = 1000
"""Refused lines that are remembered; one that is forgotten needs another witness."""
_TABLE = re.compile(rb'"_table":"(\w+)"')

_log = structlog.get_logger()


class TableState:
    """The rows of one mapping with one tag: from all consoles, or from one.

    A refused line is at fault only if another line of its table, the witness, is taken after it was
    refused, and it is refused again. Anything else may be the shipper: a full disk, no token.

    While nothing of the table is taken, `sink.refused` has its tag and mapping.
    """

    def __init__(self, tag: str, mapping: str, sink: Sink) -> None:
        self.tag = tag
        self.mapping = mapping
        self._name = (tag, mapping)
        self.taken = 0
        self._waiting = sink.refused
        self._again = sink.timings.handover_again
        self._doubts: dict[bytes, int] = {}
        self._said = 0.0

    def took(self) -> None:
        """A batch was taken."""
        self.taken += 1
        if self._name in self._waiting:
            self._waiting.remove(self._name)
            _log.info("table_accepted", feed=self.mapping)

    def at_fault(self, line: bytes) -> bool:
        """Whether a line that was refused just now is at fault: its witness was taken before."""
        if self.has_witness(line):
            del self._doubts[_digest(line)]
            return True
        self._doubts.setdefault(_digest(line), self.taken)
        if len(self._doubts) > _MOST_DOUBTS:
            del self._doubts[next(iter(self._doubts))]
        return False

    def has_witness(self, line: bytes) -> bool:
        """Whether another line was taken since this one was refused."""
        return self._doubts.get(_digest(line), self.taken) < self.taken

    def wait(self, line: bytes, reason: str) -> None:
        """A line was refused and has no witness: say so, once a minute at most."""
        now = time.monotonic()
        if self._name in self._waiting and now - self._said < self._again:
            return
        self._said = now
        self._waiting.add(self._name)
        found = _TABLE.search(line)
        table = found[1].decode() if found else ""
        _log.warning("table_refused", feed=self.mapping, table=table, error=reason)


class HttpSink(Sink):
    """Hands batches to a shipper; every feed waits for its own.

    A shipper that takes nothing for `patience` seconds counts as gone; with None it never does.
    """

    def __init__(
        self,
        client: ShipperClient,
        *,
        patience: float | None = None,
        timings: Timings = DEFAULTS,
    ) -> None:
        super().__init__(timings)
        self._tables: dict[tuple[str, str], TableState] = {}
        self._client = client
        self._patience = patience
        self._longest = timings.shipper_longest_retry

    def unreachable(self) -> str:
        """Why nobody takes rows, as far as a connection tells; nothing once a batch was taken."""
        if any(table.taken for table in self._tables.copy().values()):
            return ""
        url = urlsplit(self._client.url)
        address = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        try:
            socket.create_connection(address, self.timings.shipper_probe).close()
        except OSError:
            return f"nothing listens at {self._client.url}"
        return ""

    async def write(
        self, console: str, mapping: str, batches: Iterable[list[bytes]]
    ) -> Awaitable[Receipt]:
        """Compress batches, each at most one request; what is returned sends them, in order.

        Compressed rows are small, so that many feeds can wait for a shipper that is away.
        """
        queue: deque[CompressedBatch] = deque()
        first = 0
        for pieces in batches:
            queue.append(await in_thread(CompressedBatch.compress, pieces, first))
            first += sum(piece.count(b"\n") for piece in pieces)
        return self._send(self._table(console, mapping), queue)

    async def _send(self, table: TableState, queue: deque[CompressedBatch]) -> Receipt:
        with self.handing_over(table.mapping):
            return await self._deliver(table, queue)

    async def _deliver(self, table: TableState, queue: deque[CompressedBatch]) -> Receipt:
        """Send batches in order; one that is refused in halves, until one line is left."""
        refused: list[Refusal] = []
        postponed: list[CompressedBatch] = []
        while queue:
            batch = queue.popleft()
            if reason := await self._refusal(table, batch):
                if batch.refused_at is None:
                    batch.refused_at = table.taken
                if halves := batch.split():
                    queue.extendleft(reversed(halves))
                    continue
                fault = await self._judge(table, batch, reason, queue)
                if fault is None:
                    postponed.append(batch)
                elif fault:
                    refused.append(Refusal(batch.lines()[0], fault, batch.first))
            if not queue:  # an accepted line may show that an earlier one is bad
                queue.extend(one for one in postponed if table.has_witness(one.lines()[0]))
                postponed = [one for one in postponed if one not in queue]
        return Receipt(refused, [batch.first for batch in postponed])

    async def _refusal(
        self, table: TableState, batch: CompressedBatch, wait: float | None = None
    ) -> str:
        """Send a batch until it is taken, or refused often enough; says why, or nothing."""
        first, refusals = wait or self.timings.shipper_first_retry, 0
        backoff = Backoff(first, self._longest, self._patience)
        while True:
            try:
                await self._post(table, batch)
            except Retriable as error:
                refusals = refusals + 1 if isinstance(error, Declined) else 0
                _log.warning("handover_retry", feed=table.mapping, error=str(error))
                if refusals >= REFUSALS:
                    return str(error)
                if not await backoff.wait(error):
                    reason = f"{error}; nothing was accepted for {self._patience:.0f} seconds"
                    raise ReaderGone(reason) from None
            else:
                return ""

    async def _judge(
        self, table: TableState, batch: CompressedBatch, reason: str, after: deque[CompressedBatch]
    ) -> str | None:
        """Why a line that was refused alone is at fault; empty if it is taken, None for later."""
        [line] = batch.lines()
        began, wait, rounds = time.monotonic(), self.timings.shipper_first_retry, 1
        while not table.at_fault(line):
            if rounds >= ROUNDS and table.taken != batch.refused_at:
                break
            if time.monotonic() - began >= self.timings.shipper_postpone:
                return None
            taken = table.taken
            await asyncio.sleep(wait)
            if table.taken == taken and after:
                await self._try_next(table, after)
            if table.taken == batch.refused_at:
                table.wait(line, reason)
            if not (reason := await self._refusal(table, batch, wait)):
                return ""
            wait, rounds = min(2 * wait, self._longest), rounds + 1
        return reason

    async def _try_next(self, table: TableState, after: deque[CompressedBatch]) -> None:
        """Let the next line overtake a refused one, if the shipper takes it."""
        first, *rest = after[0].split(at=1) or [after[0]]
        with contextlib.suppress(Retriable):
            await self._post(table, first)
            after.popleft()
            after.extendleft(rest)

    async def _post(self, table: TableState, batch: CompressedBatch) -> None:
        await self._client.send(table.tag, batch.body)
        table.took()

    def _table(self, console: str, mapping: str) -> TableState:
        """Rows with one tag go one way: what is taken of others says nothing about them.

        A tag without the mapping is that of several tables.
        """
        tag = self._client.tag(console, mapping)
        if (tag, mapping) not in self._tables:
            self._tables[tag, mapping] = TableState(tag, mapping, self)
        return self._tables[tag, mapping]


def _digest(line: bytes) -> bytes:
    return hashlib.sha256(line).digest()
