"""Rows by HTTP: settled by the shipper's 2xx, sent again and again until then."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

import structlog

from sentinelone_source.errors import Declined, ReaderGone, Retriable
from sentinelone_source.handover.client import ShipperClient
from sentinelone_source.handover.parcels import Parcel
from sentinelone_source.handover.tables import Table
from sentinelone_source.handover.waits import Waits
from sentinelone_source.handover.way import Receipt, Refusal, Sending
from sentinelone_source.http.retry import retry
from sentinelone_source.worker_threads import in_thread

REFUSALS = 3
"""How often in a row a batch is refused before it is halved."""
ROUNDS = 3
"""How often a lone line is refused so many times, if other lines of its batch were taken before."""
_CONNECT = 0.5
"""Seconds that a probe waits for the shipper's listener."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Pace:
    """How long to wait, in seconds.

    Attributes:
        first: before a batch is sent again; doubled for each further time.
        longest: between two tries.
        postpone: until a lone refused line is left for later, so that others can be tried.
    """

    first: float = 0.2
    longest: float = 30.0
    postpone: float = 60.0


class Verdict(Enum):
    """What became of a line that was refused alone."""

    TAKEN = "taken"
    AT_FAULT = "at fault"
    OPEN = "open"


class Http:
    """Hands batches to a listener; every feed waits for its own.

    Args:
        listener: whom to hand them to.
        patience: seconds until a listener that takes nothing counts as gone; None waits for ever.
        pace: how long to wait between tries.
    """

    def __init__(
        self, listener: ShipperClient, *, patience: float | None = None, pace: Pace | None = None
    ) -> None:
        self._tables: dict[str, Table] = {}
        self.waits = Waits()
        self._listener = listener
        self._patience = patience
        self._pace = pace or Pace()

    def check(self) -> None:
        """Nothing to ask: what is settled has been acknowledged."""

    def unreachable(self) -> str:
        """Why nobody takes rows, as far as a connection tells; nothing once a batch was taken."""
        if any(table.taken for table in self._tables.copy().values()):
            return ""
        address = urlsplit(self._listener.url)
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            socket.create_connection((address.hostname or "", port), _CONNECT).close()
        except OSError:
            return f"nobody listens at {self._listener.url}"
        return ""

    async def take(self, mapping: str, batches: Iterable[list[bytes]]) -> Sending:
        """Pack batches, each at most one request; what is returned sends them, in order.

        Packed rows are small, so that many feeds can wait for a shipper that is away.
        """
        parcels: deque[Parcel] = deque()
        first = 0
        for pieces in batches:
            parcels.append(await in_thread(Parcel.pack, pieces, first))
            first += sum(piece.count(b"\n") for piece in pieces)

        async def send() -> Receipt:
            with self.waits.of(mapping):
                return await self._deliver(self._table(mapping), parcels)

        return send

    async def _deliver(self, table: Table, queue: deque[Parcel]) -> Receipt:
        """Send parcels in order; one that is refused in halves, until one line is left.

        Raises:
            ReaderGone: patience is at its end.
        """
        refused: list[Refusal] = []
        postponed: list[Parcel] = []
        while queue:
            parcel = queue.popleft()
            if reason := await self._refusal(table, parcel):
                if parcel.refused_at is None:
                    parcel.refused_at = table.taken
                if halves := parcel.split():
                    queue.extendleft(reversed(halves))
                    continue
                verdict, reason = await self._judge(table, parcel, reason, queue)
                if verdict is Verdict.AT_FAULT:
                    refused.append(Refusal(parcel.lines()[0], reason))
                elif verdict is Verdict.OPEN:
                    postponed.append(parcel)
            if not queue:  # what came after a postponed line may be its witness
                queue.extend(one for one in postponed if table.has_witness(one.lines()[0]))
                postponed = [one for one in postponed if one not in queue]
        return Receipt(refused, [parcel.first for parcel in postponed])

    async def _refusal(self, table: Table, parcel: Parcel, wait: float | None = None) -> str:
        """Send a parcel until it is taken, or refused often enough; says why, or nothing."""
        refusals = 0

        def should_retry(error: Exception) -> bool | float:
            nonlocal refusals
            if not isinstance(error, Retriable):
                return False
            refusals = refusals + 1 if isinstance(error, Declined) else 0
            _log.warning("handover_retry", feed=table.mapping, error=str(error))
            return refusals < REFUSALS and (error.retry_after or True)

        async def post() -> None:
            await self._post(table, parcel)

        first, longest = wait or self._pace.first, self._pace.longest
        try:
            await retry(post, should_retry, first=first, longest=longest, patience=self._patience)
        except Retriable as error:
            if refusals < REFUSALS:
                raise self._gone(error) from None
            return str(error)
        return ""

    async def _judge(
        self, table: Table, parcel: Parcel, reason: str, after: deque[Parcel]
    ) -> tuple[Verdict, str]:
        """Find out what is at fault: a line that was refused alone, or the shipper."""
        [line] = parcel.lines()
        began, wait, rounds = time.monotonic(), self._pace.first, 1
        while not table.at_fault(line):
            if rounds >= ROUNDS and table.taken != parcel.refused_at:
                break
            if time.monotonic() - began >= self._pace.postpone:
                return Verdict.OPEN, reason
            taken = table.taken
            await asyncio.sleep(wait)
            if table.taken == taken and after:
                await self._try_next(table, after)
            if table.taken == parcel.refused_at:
                table.wait(line, reason)
            if not (reason := await self._refusal(table, parcel, wait)):
                return Verdict.TAKEN, ""
            wait, rounds = min(2 * wait, self._pace.longest), rounds + 1
        return Verdict.AT_FAULT, reason

    async def _try_next(self, table: Table, after: deque[Parcel]) -> None:
        """Let the next line overtake a refused one, if the shipper takes it."""
        first, *rest = after[0].split(at=1) or [after[0]]
        with contextlib.suppress(Retriable):
            await self._post(table, first)
            after.popleft()
            after.extendleft(rest)

    async def _post(self, table: Table, parcel: Parcel) -> None:
        await self._listener.send(table.mapping, parcel.body)
        table.took()

    def _table(self, mapping: str) -> Table:
        return self._tables.setdefault(mapping, Table(mapping, self.waits.refused))

    def _gone(self, error: Exception) -> ReaderGone:
        return ReaderGone(f"{error}; nothing was taken for {self._patience:.0f} seconds")
