"""What every way to hand rows over can do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import structlog

from sentinelone_source.timings import Timings

_log = structlog.get_logger()


class Refusal(NamedTuple):
    """A line that the shipper refuses for good; `place` counts from 0 over the whole page."""

    line: bytes
    reason: str
    place: int


class Receipt(NamedTuple):
    """What became of a page's lines; those that are not named here were taken.

    `postponed` has the places, counted from 0 over the whole page, of refused lines that may be
    taken later: hand them over again.
    """

    refused: list[Refusal]
    postponed: list[int]


async def all_taken() -> Receipt:
    """For a sink that has handed over what was written."""
    return Receipt([], [])


class Sink:
    """Takes whole lines to the shipper, and knows how long it lets each feed wait.

    Attributes:
        waited: by mapping, seconds spent handing over so far.
        refused: tags and mappings of whose rows the shipper takes none.
    """

    def __init__(self, timings: Timings) -> None:
        self.timings = timings
        self.refused: set[tuple[str, str]] = set()
        self.waited: dict[str, float] = {}
        self._going_on: dict[str, list[float]] = {}

    async def write(
        self, console: str, mapping: str, batches: Iterable[list[bytes]]
    ) -> Awaitable[Receipt]:
        """Take the lines of a page; when it returns, the page itself may be forgotten.

        Each batch has whole lines in pieces, at most one request. What is returned is awaited for
        the rows to be handed over, as far as can be known. Both raise ReaderGone.
        """
        raise NotImplementedError

    def check(self) -> None:
        """Raise ReaderGone if nobody takes rows any more."""

    def unreachable(self) -> str:
        """Why no row can be handed over now; empty if that is not known. Any thread may ask."""
        return ""

    @property
    def waiting(self) -> dict[str, float]:
        """By mapping, when the oldest hand-over that is not done began (monotonic seconds)."""
        going_on = self._going_on.copy()  # another thread may call this
        return {name: began for name, begins in going_on.items() for began in begins[:1]}

    @contextmanager
    def handing_over(self, mapping: str) -> Iterator[None]:
        """Within: rows of this mapping are being handed over. Says so when it takes long."""
        began = time.monotonic()
        going_on = self._going_on.setdefault(mapping, [])
        going_on.append(began)
        notice = asyncio.ensure_future(self._notice(mapping, began))
        try:
            yield
        finally:
            notice.cancel()
            going_on.remove(began)
            seconds = time.monotonic() - began
            self.waited[mapping] = self.waited.get(mapping, 0.0) + seconds
            if seconds >= self.timings.handover_notice:
                _log.info("handover_goes_on", feed=mapping, seconds=round(seconds, 1))

    async def _notice(self, mapping: str, began: float) -> None:
        await asyncio.sleep(self.timings.handover_notice)
        while True:
            _log.warning("handover_waits", feed=mapping, seconds=round(time.monotonic() - began, 1))
            await asyncio.sleep(self.timings.handover_again)
