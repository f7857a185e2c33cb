"""Rows by HTTP: settled by the shipper's 2xx, sent again and again until then."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable

import structlog

from sentinelone_source.errors import Declined, ReaderGone, Retriable
from sentinelone_source.handover.listener import Listener
from sentinelone_source.handover.parcels import Parcel
from sentinelone_source.handover.waits import Waits
from sentinelone_source.handover.way import Refusal, Sending
from sentinelone_source.retries import insist
from sentinelone_source.threads import in_thread

FIRST_WAIT = 0.2
"""Seconds before a batch is sent again; doubled for each further time."""
LONGEST_WAIT = 30.0
REFUSALS = 3
"""How often in a row a batch is refused before it is halved."""

_log = structlog.get_logger()


class Http:
    """Hands batches to a listener; every feed waits for its own.

    Args:
        listener: whom to hand them to.
        patience: seconds until a listener that takes nothing counts as gone; None waits for ever.
    """

    def __init__(self, listener: Listener, *, patience: float | None = None) -> None:
        self.waits = Waits()
        self._listener = listener
        self._patience = patience
        self._passed = 0
        self._last: tuple[str, Parcel] | None = None

    def check(self) -> None:
        """Nothing to ask: what is settled has been acknowledged."""

    async def take(self, mapping: str, batches: Iterable[list[bytes]]) -> Sending:
        """Pack batches, each at most one request; what is returned sends them, in order.

        Packed rows are small, so that many feeds can wait for a shipper that is away.
        """
        parcels = deque([await in_thread(Parcel.pack, pieces) for pieces in batches])

        async def send() -> list[Refusal]:
            with self.waits.of(mapping):
                return await self._deliver(mapping, parcels)

        return send

    async def _deliver(self, mapping: str, parcels: deque[Parcel]) -> list[Refusal]:
        """Send parcels in order; one that is refused in halves, until one line is at fault.

        Raises:
            ReaderGone: patience is at its end.
        """
        refused: list[Refusal] = []
        while parcels:
            parcel = parcels.popleft()
            if not await self._refusal(mapping, parcel):
                continue
            if halves := parcel.split():
                parcels.extendleft(reversed(halves))
            elif fault := await self._fault(mapping, parcel, parcels):
                refused.append(Refusal(parcel.lines()[0], fault))
        return refused

    async def _refusal(self, mapping: str, parcel: Parcel, wait: float = FIRST_WAIT) -> str:
        """Send a parcel until it is accepted, or refused often enough; says why, or nothing."""
        refusals = 0

        def worth(error: Exception) -> bool | float:
            nonlocal refusals
            if not isinstance(error, Retriable):
                return False
            refusals = refusals + 1 if isinstance(error, Declined) else 0
            _log.warning("handover_retry", feed=mapping, error=str(error))
            return refusals < REFUSALS and (error.retry_after or True)

        async def post() -> None:
            await self._post(mapping, parcel)

        try:
            await insist(post, worth, first=wait, longest=LONGEST_WAIT, patience=self._patience)
        except Retriable as error:
            if refusals < REFUSALS:
                raise self._gone(error) from None
            return str(error)
        return ""

    async def _fault(self, mapping: str, line: Parcel, after: deque[Parcel]) -> str:
        """What is wrong with a lone line that was refused; nothing if it passes after all.

        If it is refused once more after another line has passed, it is the line. While nothing
        passes it is the listener, and we wait.
        """
        began, wait = time.monotonic(), FIRST_WAIT
        while True:
            passed = self._passed
            await asyncio.sleep(wait)
            if self._passed == passed:
                await self._try_another(mapping, after)
            others_pass = self._passed > passed
            reason = await self._refusal(mapping, line, wait)
            if others_pass or not reason:
                return reason
            if self._patience is not None and time.monotonic() - began > self._patience:
                raise self._gone(reason)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _try_another(self, mapping: str, after: deque[Parcel]) -> None:
        """See whether the listener takes anything: the next line, else one that it took before.

        If it does, that one overtakes the refused line, or comes twice.
        """
        with contextlib.suppress(Retriable):
            if not after:
                if self._last is not None:
                    name, parcel = self._last
                    await self._post(name, Parcel.pack(parcel.lines()[-1:]))
                return
            first, *rest = after[0].split(at=1) or (after[0],)
            await self._post(mapping, first)
            after.popleft()
            after.extendleft(rest)

    async def _post(self, mapping: str, parcel: Parcel) -> None:
        await in_thread(self._listener.post, mapping, parcel.body)
        self._passed += 1
        self._last = mapping, parcel

    def _gone(self, reason: object) -> ReaderGone:
        return ReaderGone(f"{reason}; nothing was taken for {self._patience:.0f} seconds")
