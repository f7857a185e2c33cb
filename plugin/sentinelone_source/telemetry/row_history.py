"""Rows of the last hour, minute by minute: four bytes a minute and feed."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from typing import Any, Protocol

MINUTES = 60
_MOST = (1 << 32) - 1


class Counting(Protocol):
    """A feed, as far as its rows go."""

    @property
    def counts(self) -> Any:
        """Whose `rows` only grow."""


class RowHistory:
    """What each feed handed over in each of the last minutes.

    Args:
        feeds: whose rows are looked at, once a minute.
    """

    def __init__(self, feeds: Sequence[Counting]) -> None:
        self._feeds = feeds
        self._seen = [feed.counts.rows for feed in feeds]
        self._ring = array("I", bytes(4 * MINUTES * len(feeds)))
        self._at = 0

    async def run(self, every: float = 60.0) -> None:
        """Look once a minute, until cancelled."""
        while True:
            await asyncio.sleep(every)
            self.look()

    def look(self) -> None:
        """A minute has passed."""
        for number, feed in enumerate(self._feeds):
            rows = feed.counts.rows
            place = number * MINUTES + self._at
            self._ring[place] = min(max(0, rows - self._seen[number]), _MOST)
            self._seen[number] = rows
        self._at = (self._at + 1) % MINUTES

    def of(self, number: int) -> list[int]:
        """Rows of a feed by minute, the minute under way last."""
        begin = number * MINUTES
        ring, at = self._ring[begin : begin + MINUTES].tolist(), self._at
        now = max(0, self._feeds[number].counts.rows - self._seen[number])
        return [*ring[at + 1 :], *ring[:at], now]
