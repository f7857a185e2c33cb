"""What all feeds of a process share: the way to the shipper, and what is written down of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from sentinelone_source.feed.settling import Settling
from sentinelone_source.feed.state import State
from sentinelone_source.handover.deadletters import DeadLetters
from sentinelone_source.threads import in_thread


class Handover(Protocol):
    """Takes whole lines to the shipper."""

    async def give(self, mapping: str, pieces: list[bytes]) -> None:
        """Hand lines over; returns when the shipper has them, as far as can be known."""


@dataclass(frozen=True)
class Delivery:
    """Where rows go, and where it is kept."""

    handover: Handover
    settling: Settling
    state: State
    dead_letters: DeadLetters
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _next: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def turn(self, unpack: Callable[[], bytes]) -> AsyncIterator[bytes]:
        """Wait for one's turn to decode a page and hand it over.

        One page at a time keeps the process small (a page of threats and its rows are 20 MiB); one
        more is unpacked meanwhile, in a thread, which costs the one at work nothing.

        Args:
            unpack: gives the page's body; what it raises is raised here.
        """
        async with self._next:
            body = await in_thread(unpack)
            await self._turn.acquire()
        try:
            yield body
        finally:
            self._turn.release()
