"""What every way to the shipper can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol

from sentinelone_source.handover.waits import Waits


class Refusal(NamedTuple):
    """A line that the shipper does not take, and what it says."""

    line: bytes
    reason: str


Sending = Callable[[], Awaitable[list[Refusal]]]
"""Brings what was taken to the shipper; gives what that refuses for good."""


class Way(Protocol):
    """Takes whole lines to the shipper."""

    @property
    def waits(self) -> Waits:
        """The hand-overs that are going on."""

    def check(self) -> None:
        """Raise ReaderGone if nobody takes rows any more."""

    async def take(self, mapping: str, batches: Iterable[list[bytes]]) -> Sending:
        """Take the lines of a page; when it returns, the page itself may be forgotten.

        Args:
            mapping: whose rows they are.
            batches: each of whole lines in pieces, at most 900,000 bytes together.

        Returns:
            what to await for the rows to be handed over, as far as can be known.

        Raises:
            ReaderGone: nobody takes rows any more. The same from what is returned.
        """


async def nothing_refused() -> list[Refusal]:
    """For a way that has handed over what it took."""
    return []
