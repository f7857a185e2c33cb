"""Finds the rows of a page that repeat the last row of their id, for feeds with a heartbeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sentinelone_source.mapping.heartbeat import UNKNOWN, Content, LastRow

LastRows = Callable[[list[str]], Mapping[str, LastRow]]
"""From ids, the last row of each that was handed over."""


class _Repeat(NamedTuple):
    """A row that is not handed over.

    Attributes:
        base: the place of the row that it repeats; None if that row is not in this page.
        size: bytes of its line.
    """

    base: int | None
    size: int


class Repeats:
    """Decides which rows of a page are handed over. A place is a row's number in the page.

    Args:
        last_rows: finds the last rows that were handed over before this page.
        doubt: marks the last rows of these ids as unknown in the state, permanently.
        heartbeat: a row that is newer than the last one by this is handed over; microseconds.
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
        """From the next rows of the page, the indexes of those that are to be handed over."""
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
        """Note that the rows chosen so far are about to be handed over.

        If the process ends before they are settled, it is unknown which of them arrived. So the
        next row of each of these ids will be handed over, even if it repeats the row before.
        """
        if self._doubtful:
            self._doubt(self._doubtful)
            self._doubtful = []

    def orphans(self, failed: set[int]) -> set[int]:
        """Places of rows that repeat one of these rows, which were not delivered."""
        return {place for place, repeat in self._repeats.items() if repeat.base in failed}

    def total(self, without: set[int]) -> tuple[int, int]:
        """How many rows are not handed over, and their bytes.

        Args:
            without: places that do not count.
        """
        sizes = [one.size for place, one in self._repeats.items() if place not in without]
        return len(sizes), sum(sizes)

    def to_remember(self, failed: set[int]) -> dict[str, LastRow]:
        """By id, the last row of the page to remember; with an unknown digest if it failed."""
        newest: dict[str, LastRow] = {}
        for place, row in self._handed_over:
            if row.id not in newest or newest[row.id].position <= row.position:
                digest = UNKNOWN if place in failed else row.digest
                newest[row.id] = LastRow(row.position, digest)
        return newest
