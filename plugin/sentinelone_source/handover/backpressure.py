"""How long the shipper lets us wait, for metrics and for people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

NOTICE = 10.0
"""Seconds after which a hand-over that is not done is worth a line in the log."""
AGAIN = 60.0
"""Seconds between further lines about the same one."""

_log = structlog.get_logger()


class Backpressure:
    """The hand-overs that are going on.

    Attributes:
        waiting: by mapping, when the oldest hand-over that is not done began (monotonic seconds).
        waited: by mapping, seconds spent handing over so far.
        refused: tags and mappings of whose rows the shipper takes none.
    """

    def __init__(self) -> None:
        self.refused: set[tuple[str, str]] = set()
        self.waited: dict[str, float] = {}
        self._going_on: dict[str, list[float]] = {}

    @property
    def waiting(self) -> dict[str, float]:
        going_on = self._going_on.copy()  # another thread may ask
        return {name: began for name, begins in going_on.items() for began in begins[:1]}

    @contextmanager
    def of(self, mapping: str) -> Iterator[None]:
        """Within: rows of this mapping are being handed over. Says so when it takes long."""
        began = time.monotonic()
        going_on = self._going_on.setdefault(mapping, [])
        going_on.append(began)
        notice = asyncio.ensure_future(_notice(mapping, began))
        try:
            yield
        finally:
            notice.cancel()
            going_on.remove(began)
            seconds = time.monotonic() - began
            self.waited[mapping] = self.waited.get(mapping, 0.0) + seconds
            if seconds >= NOTICE:
                _log.info("handover_goes_on", feed=mapping, seconds=round(seconds, 1))


async def _notice(mapping: str, began: float) -> None:
    await asyncio.sleep(NOTICE)
    while True:
        _log.warning("handover_waits", feed=mapping, seconds=round(time.monotonic() - began, 1))
        await asyncio.sleep(AGAIN)
