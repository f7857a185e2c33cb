"""Which rows of a page repeat the last row of their id, and what to remember of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sentinelone_source.mapping.heartbeat import UNKNOWN, Content, LastRow

LastRows = Callable[[list[str]], Mapping[str, LastRow]]
"""From ids: the last row of each, as far as rows were handed over."""


class _Repeat(NamedTuple):
    """A row that is not handed over; `base` is the place in the page of the row it repeats."""

    base: int | None
    size: int


class Repeats:
    """Tells which rows of a page are handed over. Places count the page's rows.

    Args:
        last_rows: what was handed over before this page.
        doubt: remembers of ids, for good, that it is not known what their last rows say.
        heartbeat: a row that is newer than the last one by this is no repeat; microseconds.
    """

    def __init__(
        self, last_rows: LastRows, doubt: Callable[[list[str]], None], heartbeat: int
    ) -> None:
        self._last_rows = last_rows
        self._doubt = doubt
        self._heartbeat = heartbeat
        self._seen = 0
        self._repeats: dict[int, _Repeat] = {}
        self._handed_over: list[tuple[int, Content]] = []
        self._newest: dict[str, tuple[LastRow, int]] = {}
        self._doubtful: list[str] = []

    def changed(self, rows: list[Content]) -> list[int]:
        """From the next rows of the page, the places among them of those to be handed over."""
        before = self._last_rows([row.id for row in rows])
        taken = []
        for number, row in enumerate(rows):
            place = self._seen + number
            last, base = self._newest.get(row.id) or (before.get(row.id), None)
            if last is not None and last.is_repeated_by(row, self._heartbeat):
                self._repeats[place] = _Repeat(base, row.size)
                continue
            taken.append(number)
            self._handed_over.append((place, row))
            if last is None or last.position <= row.position:
                self._newest[row.id] = LastRow(row.position, row.digest), place
            if last is not None and last.digest not in (row.digest, UNKNOWN):
                self._doubtful.append(row.id)
        self._seen += len(rows)
        return taken

    def begin_hand_over(self) -> None:
        """The rows that were taken so far are about to be handed over.

        Should the process end before they are settled, it is not known which of them arrived: what
        comes next of their ids is handed over, even if it repeats the row before.
        """
        if self._doubtful:
            self._doubt(self._doubtful)
            self._doubtful = []

    def orphans(self, failed: set[int]) -> set[int]:
        """Places of rows that repeat one of these, and nothing that was delivered."""
        return {place for place, repeat in self._repeats.items() if repeat.base in failed}

    def total(self, without: set[int]) -> tuple[int, int]:
        """Rows that are not handed over, and their bytes."""
        sizes = [one.size for place, one in self._repeats.items() if place not in without]
        return len(sizes), sum(sizes)

    def to_remember(self, failed: set[int]) -> dict[str, LastRow]:
        """The last row of every id of the page; what was not delivered says nothing."""
        newest: dict[str, LastRow] = {}
        for place, row in self._handed_over:
            if row.id not in newest or newest[row.id].position <= row.position:
                digest = UNKNOWN if place in failed else row.digest
                newest[row.id] = LastRow(row.position, digest)
        return newest
