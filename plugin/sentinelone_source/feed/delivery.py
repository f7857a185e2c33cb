"""What all feeds of a process share: the way to the shipper, and what is written down of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from sentinelone_source.feed.settling import Settling
from sentinelone_source.feed.state import State
from sentinelone_source.handover.deadletters import DeadLetters


class Handover(Protocol):
    """Takes whole lines to the shipper."""

    async def give(self, mapping: str, pieces: list[bytes]) -> None:
        """Hand lines over; returns when the shipper has them, as far as can be known."""


@dataclass(frozen=True)
class Delivery:
    """Where rows go, and where it is kept.

    Attributes:
        turn: held while a page is decoded and handed over. One page at a time is what keeps the
            process small: a page of threats and its rows are 20 MiB.
    """

    handover: Handover
    settling: Settling
    state: State
    dead_letters: DeadLetters
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
