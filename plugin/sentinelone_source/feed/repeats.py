"""The last row of each id, for feeds with a heartbeat: stored, and compared with the next rows.

The functions work inside a transaction of the caller; the methods of `LastRows` have their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sentinelone_source.feed.state.files import explained
from sentinelone_source.feed.state.schema import key_hashes
from sentinelone_source.mapping.heartbeat import UNKNOWN, Contents, LastRow

_AT_ONCE = 32
"""How many ids one statement looks up."""
_SETTLED, _UNSETTLED = (
    f"SELECT id, position, digest FROM {table} WHERE feed = ? AND id IN ({ids})"  # noqa: S608
    for ids in [", ".join("?" * _AT_ONCE)]
    for table in ("last_rows", "unsettled_rows")
)
_PRUNE = "DELETE FROM last_rows WHERE feed = ? AND position < ?"
_UPSERT = """
INSERT INTO last_rows {rows} ON CONFLICT (feed, id)
DO UPDATE SET position = excluded.position, digest = excluded.digest
WHERE excluded.position >= position
"""
_SETTLE_AT_ONCE = _UPSERT.format(rows="VALUES (?, ?, ?, ?)")
_SETTLE = _UPSERT.format(
    rows="SELECT feed, id, position, digest FROM unsettled_rows WHERE page = ?"
)


class LastRows:
    """The last rows of one feed that were handed over, in the state's file at `path`.

    `unsettled` says whether rows may be handed over, but not settled.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, feed: int, *, unsettled: bool) -> None:
        self._db, self._path, self._feed = db, path, feed
        self._queries = (_SETTLED, _UNSETTLED) if unsettled else (_SETTLED,)

    def known(self, ids: Sequence[int]) -> dict[int, LastRow]:
        """The last row of each of these ids, settled or not; an id is given as its hash."""
        found: dict[int, LastRow] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some: list[int | None] = [*ids[start : start + _AT_ONCE]]
            some += [None] * (_AT_ONCE - len(some))
            for query in self._queries:
                with explained(self._path):
                    rows = self._db.execute(query, (self._feed, *some)).fetchall()
                for one, position, digest in rows:
                    if one not in found or found[one].position <= position:
                        found[one] = LastRow(position, digest)
        return found

    def doubt(self, ids: Iterable[int]) -> None:
        """Delete the digests of the last rows of these ids, but keep their positions."""
        rows = [(self._feed, one) for one in ids]
        with explained(self._path), self._db as db:
            for table in ("last_rows", "unsettled_rows"):
                unset = f"UPDATE {table} SET digest = x'' WHERE feed = ? AND id = ?"  # noqa: S608
                db.executemany(unset, rows)

    def prune(self, before: int) -> None:
        """Forget last rows of positions before this one."""
        with explained(self._path), self._db as db:
            db.execute(_PRUNE, (self._feed, before))


def record_unsettled(
    db: sqlite3.Connection, feed: int, page: int, rows: Mapping[int, LastRow]
) -> None:
    """Remember last rows until their page is settled, or this process ends."""
    insert = "INSERT INTO unsettled_rows VALUES (?, ?, ?, ?, ?)"
    db.executemany(insert, ((*row, page) for row in _rows(feed, rows)))


def settle(db: sqlite3.Connection, page: int) -> None:
    """Make the last rows of a page permanent."""
    db.execute(_SETTLE, (page,))
    db.execute("DELETE FROM unsettled_rows WHERE page = ?", (page,))


def settle_at_once(db: sqlite3.Connection, feed: int, rows: Mapping[int, LastRow]) -> None:
    """Remember last rows permanently."""
    db.executemany(_SETTLE_AT_ONCE, _rows(feed, rows))


def _rows(feed: int, rows: Mapping[int, LastRow]) -> Iterable[tuple[int, int, int, bytes]]:
    return ((feed, one, *last) for one, last in rows.items())


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
