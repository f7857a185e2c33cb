"""Several passes over the same positions, where no single one shows all records."""

from __future__ import annotations

from typing import Any

from sentinelone_source.feed.reading import LOWEST, Reading
from sentinelone_source.feed.state.progress import Progress


class EarlierPass:
    """A pass of a reading that another one follows: it knows its own end, and moves nothing on.

    A crash between two passes repeats the first one, and loses nothing of the second.

    Attributes:
        nearly_beyond, beyond: as of a reading.
    """

    def __init__(self, reading: Reading) -> None:
        self.nearly_beyond = self.beyond = False
        self._reading = reading
        self._last = LOWEST
        self._ordered = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reading, name)

    def passed(self, positions: list[int]) -> Progress:
        """See whether this pass is at its end; how far the feed is complete stays as it was."""
        for position in positions:
            self._ordered &= position >= self._last
            self._last = position
        if positions and self._ordered:
            self.nearly_beyond = positions[-1] > self._reading.end
            self.beyond = positions[0] > self._reading.end
        return self._reading.progress
