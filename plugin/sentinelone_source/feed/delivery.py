"""What all feeds of a process share: the way to the shipper, and what is written down of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from sentinelone_source.feed.settling import Settling
from sentinelone_source.feed.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.way import Way
from sentinelone_source.worker_threads import in_thread


class Turn:
    """The right to have a page in memory; given back once, when the page is not needed any more.

    Attributes:
        body: the page.
    """

    def __init__(self, body: bytes, lock: asyncio.Lock) -> None:
        self.body = body
        self._lock: asyncio.Lock | None = lock

    def over(self) -> None:
        """Let the next one have it."""
        if self._lock is not None:
            self._lock.release()
            self._lock, self.body = None, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.over()


@dataclass(frozen=True)
class Delivery:
    """Where rows go, and where it is kept."""

    way: Way
    settling: Settling
    state: State
    dead_letters: DeadLetters
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _next: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def turn(self, unpack: Callable[[], bytes], look: Callable[[bytes], None]) -> Turn:
        """Wait for one's turn to decode a page and make its lines.

        One page at a time keeps the process small (a page of threats and its rows are 20 MiB); one
        more is unpacked meanwhile, in a thread, which costs the one at work nothing.

        Args:
            unpack: gives the page's body; what it raises is raised here.
            look: gets to see the body before its turn has come.
        """
        async with self._next:
            body = await in_thread(unpack)
            look(body)
            await self._turn.acquire()
        return Turn(body, self._turn)
