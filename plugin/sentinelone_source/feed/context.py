"""What all feeds of a process share: where rows go, and where it is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Self

from sentinelone_source.feed.settling import Settling
from sentinelone_source.feed.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Sink


class MemorySlot:
    """Room for one decoded page, given back once."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock: asyncio.Lock | None = lock

    def release(self) -> None:
        """Let the next page be decoded."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(frozen=True)
class FeedContext:
    """What all feeds of a process share.

    One page at a time is decoded and made into lines, which keeps the process small: a page of
    threats and its rows are 20 MiB. One more is unpacked meanwhile, in a thread.

    Attributes:
        unpacking: held by the feed whose page is unpacked, until it has a slot.
    """

    sink: Sink
    settling: Settling
    state: State
    dead_letters: DeadLetters
    unpacking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def memory_slot(self) -> MemorySlot:
        """Wait for room for a decoded page."""
        await self._decoding.acquire()
        return MemorySlot(self._decoding)
