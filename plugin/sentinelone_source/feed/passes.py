"""Reads the same positions in several passes, if no single query shows all records."""

from __future__ import annotations

from typing import Any

from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.reading import LOWEST, Reading


class EarlierPass:
    """A pass that another one follows: it ends like its reading, and leaves the progress as is.

    After a crash between two passes the first is read again, so no record of the second is lost.

    Attributes:
        nearly_beyond, beyond: as in `Reading`.
    """

    def __init__(self, reading: Reading) -> None:
        self.nearly_beyond = self.beyond = False
        self._reading = reading
        self._last = LOWEST
        self._ordered = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reading, name)

    def passed(self, positions: list[int]) -> Progress:
        """Check whether this pass is at its end; returns the unchanged progress of the reading."""
        for position in positions:
            self._ordered &= position >= self._last
            self._last = position
        if positions and self._ordered:
            self.nearly_beyond = positions[-1] > self._reading.end
            self.beyond = positions[0] > self._reading.end
        return self._reading.progress
