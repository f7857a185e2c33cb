"""What every way to hand rows over can do."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import NamedTuple, Protocol

from sentinelone_source.handover.backpressure import Backpressure


class Refusal(NamedTuple):
    """A line that the shipper refuses for good.

    Attributes:
        place: counted from 0 over the whole page.
    """

    line: bytes
    reason: str
    place: int


class Receipt(NamedTuple):
    """What became of a page's lines; those that are not named here were taken.

    Attributes:
        refused: lines that are refused while others of their table are taken.
        postponed: places, counted from 0 over the whole page, of refused lines that may be taken
            later: hand them over again.
    """

    refused: list[Refusal]
    postponed: list[int]


class Sink(Protocol):
    """Takes whole lines to the shipper."""

    @property
    def backpressure(self) -> Backpressure:
        """The hand-overs that are going on."""

    def check(self) -> None:
        """Raise ReaderGone if nobody takes rows any more."""

    def unreachable(self) -> str:
        """Why no row can be handed over now; empty if that is not known. Any thread may ask."""

    async def write(
        self, console: str, mapping: str, batches: Iterable[list[bytes]]
    ) -> Awaitable[Receipt]:
        """Take the lines of a page; when it returns, the page itself may be forgotten.

        Args:
            console: whose rows they are.
            mapping: that made them.
            batches: each of whole lines in pieces, at most one request.

        Returns:
            what to await for the rows to be handed over, as far as can be known.

        Raises:
            ReaderGone: nobody takes rows any more. The same from what is returned.
        """


async def all_taken() -> Receipt:
    """For a sink that has handed over what was written."""
    return Receipt([], [])
