"""Rows of a feed with a heartbeat that repeat the last row of their id."""

from __future__ import annotations

from typing import NamedTuple

from sentinelone_source.feed.state.last_rows import LastRows
from sentinelone_source.feed.state.schema import key_hashes
from sentinelone_source.mapping.heartbeat import UNKNOWN, Contents, LastRow


class _Repeat(NamedTuple):
    """A row that is not handed over; `base` is the place of the row of this page it repeats."""

    base: int | None
    size: int


class Repeats:
    """Decides which rows of a page are handed over. A place is a row's number in the page.

    A row that is newer than the last one of its id by the heartbeat (microseconds) is handed over,
    and with a heartbeat of 0 every row is.
    """

    def __init__(self, last_rows: LastRows, heartbeat: int) -> None:
        self._last_rows = last_rows
        self.heartbeat = heartbeat
        self._seen = 0
        self._repeats: dict[int, _Repeat] = {}
        self._handed_over: dict[int, LastRow] = {}
        self._ids: list[int] = []
        self._newest: dict[int, int] = {}
        self._doubtful: list[int] = []

    def changed(self, rows: Contents) -> list[int]:
        """From the next rows of the page, the indexes of those that are to be handed over."""
        ids = key_hashes(rows.ids)
        before = self._last_rows.known(ids)
        taken = []
        for number, (one, row) in enumerate(zip(ids, rows.last_rows(), strict=True)):
            place, base = self._seen + number, self._newest.get(one)
            last = before.get(one) if base is None else self._handed_over[base]
            if last is not None:
                if last.is_repeated_by(row, self.heartbeat):
                    self._repeats[place] = _Repeat(base, rows.sizes[number])
                    continue
                if last.digest not in (row.digest, UNKNOWN):
                    self._doubtful.append(one)
            taken.append(number)
            self._handed_over[place] = row
            if last is None or last.position <= row.position:
                self._newest[one] = place
        self._ids += ids
        self._seen += len(ids)
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
        return {place for place, repeat in self._repeats.items() if repeat.base in failed}

    def total(self, without: set[int]) -> tuple[int, int]:
        """How many rows are not handed over, and their bytes; some places do not count."""
        sizes = [one.size for place, one in self._repeats.items() if place not in without]
        return len(sizes), sum(sizes)

    def to_remember(self, failed: set[int]) -> dict[int, LastRow]:
        """By hash of the id, the last row of the page; with an unknown digest if it failed."""
        newest: dict[int, LastRow] = {}
        for place, row in self._handed_over.items():
            one = self._ids[place]
            if one not in newest or newest[one].position <= row.position:
                newest[one] = row._replace(digest=UNKNOWN) if place in failed else row
        return newest
