"""Rows of a feed with a heartbeat that repeat the last row of their id."""

from __future__ import annotations

from collections.abc import Mapping

from sentinelone_source.feed.state.last_rows import UNKNOWN, LastRows, pack
from sentinelone_source.feed.state.schema import key_hashes
from sentinelone_source.mapping.heartbeat import Contents, is_repeat


class Repeats:
    """Decides which rows of a page are handed over. A place is a row's number in the page.

    A row that is newer than the last one of its id by the heartbeat (microseconds) is handed over,
    and with a heartbeat of 0 every row is.
    """

    def __init__(self, last_rows: LastRows, heartbeat: int) -> None:
        self._last_rows = last_rows
        self.heartbeat = heartbeat
        self._ids: list[int] = []
        self._positions: list[int] = []
        self._digests: list[bytes] = []
        self._repeats: dict[int, tuple[int | None, int]] = {}
        self._newest: dict[int, int] = {}
        self._doubtful: list[int] = []

    def changed(self, rows: Contents) -> list[int]:
        """From the next rows of the page, the indexes of those that are to be handed over."""
        taken, first, ids = [], len(self._ids), key_hashes(rows.ids)
        newest, last_row = self._newest, self._last_rows.get
        self._ids += ids
        self._positions += rows.positions
        self._digests += rows.digests
        for place, one in enumerate(ids, first):
            base, at = newest.get(one), self._positions[place]
            if base is None:
                last = last_row(one)
            else:
                last = self._positions[base], 0, self._digests[base]
            if last is not None:
                said = self._digests[place]
                if is_repeat(at, said, last, self.heartbeat):
                    self._repeats[place] = base, last[1]
                    continue
                if last[2] not in (said, UNKNOWN):
                    self._doubtful.append(one)
            taken.append(place - first)
            if last is None or last[0] <= at:
                newest[one] = place
        return taken

    def begin_hand_over(self) -> None:
        """Note that the rows chosen so far are about to be handed over.

        If the process ends before they are settled, it is unknown which of them arrived. So the
        next row of each of these ids will be handed over, even if it repeats the row before.
        """
        if self._doubtful:
            self._last_rows.doubt(self._doubtful)
            self._doubtful = []

    def orphans(self, failed: set[int]) -> set[int]:
        """Places of rows that repeat one of these rows, which were not delivered."""
        return {place for place, (base, _) in self._repeats.items() if base in failed}

    def total(self, without: set[int], sizes: Mapping[int, int]) -> tuple[int, int]:
        """How many rows are not handed over, and their bytes; some places do not count.

        Args:
            sizes: bytes of the lines that were delivered, by place. A row that is not handed over
                counts as many bytes as the one that it repeats.
        """
        found = [one for place, one in self._repeats.items() if place not in without]
        return len(found), sum(size if base is None else sizes.get(base, 0) for base, size in found)

    def to_remember(self, sizes: Mapping[int, int]) -> bytes:
        """The rows for the state; what those say that were not delivered is unknown."""
        rows = enumerate(zip(self._ids, self._positions, self._digests, strict=True))
        return pack(
            (one, at, sizes.get(place, 0), said if place in sizes else UNKNOWN)
            for place, (one, at, said) in rows
            if place not in self._repeats
        )
