"""The last row of each id, for feeds with a heartbeat: stored, and compared with the next rows.

The functions work inside a transaction of the caller; the methods of `LastRows` have their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from sentinelone_source.feed.progress import LOWEST
from sentinelone_source.feed.state.files import explained
from sentinelone_source.feed.state.schema import key_hash
from sentinelone_source.mapping.heartbeat import UNKNOWN, Content, LastRow

_AT_ONCE = 32
"""How many ids one statement looks up."""
_KNOWN = " UNION ALL ".join(
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
    """The last rows of one feed that were handed over.

    Args:
        db: the connection to the state.
        path: the file of the state, for errors.
        feed: the feed's number.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, feed: int) -> None:
        self._db, self._path, self._feed = db, path, feed

    def known(self, ids: Iterable[str]) -> dict[str, LastRow]:
        """The last row of each of these ids, settled or not."""
        hashes = {key_hash(one): one for one in ids}
        wanted = list(hashes)
        found: dict[str, LastRow] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            some: list[int | None] = [*wanted[start : start + _AT_ONCE]]
            values = [self._feed, *some, *[None] * (_AT_ONCE - len(some))]
            with explained(self._path):
                rows = self._db.execute(_KNOWN, [*values, *values]).fetchall()
            for hashed, position, digest in rows:
                last = found.get(hashes[hashed])
                if last is None or last.position <= position:
                    found[hashes[hashed]] = LastRow(position, digest)
        return found

    def doubt(self, ids: Iterable[str]) -> None:
        """Delete the digests of the last rows of these ids, but keep their positions."""
        rows = [(self._feed, key_hash(one)) for one in ids]
        with explained(self._path), self._db as db:
            for table in ("last_rows", "unsettled_rows"):
                unset = f"UPDATE {table} SET digest = x'' WHERE feed = ? AND id = ?"  # noqa: S608
                db.executemany(unset, rows)

    def prune(self, before: int) -> None:
        """Forget last rows of positions before this one."""
        with explained(self._path), self._db as db:
            db.execute(_PRUNE, (self._feed, before))

    def forget(self) -> None:
        """Forget all last rows of the feed, because its rows are no longer compared with them."""
        with explained(self._path), self._db as db:
            forget(db, self._feed)


def record_unsettled(
    db: sqlite3.Connection, feed: int, page: int, rows: Mapping[str, LastRow]
) -> None:
    """Remember last rows until their page is settled, or this process ends."""
    insert = "INSERT INTO unsettled_rows VALUES (?, ?, ?, ?, ?)"
    db.executemany(insert, ((*row, page) for row in _rows(feed, rows)))


def settle(db: sqlite3.Connection, page: int) -> None:
    """Make the last rows of a page permanent."""
    db.execute(_SETTLE, (page,))
    db.execute("DELETE FROM unsettled_rows WHERE page = ?", (page,))


def settle_at_once(db: sqlite3.Connection, feed: int, rows: Mapping[str, LastRow]) -> None:
    """Remember last rows permanently."""
    db.executemany(_SETTLE_AT_ONCE, _rows(feed, rows))


def forget(db: sqlite3.Connection, feed: int, since: int = LOWEST) -> None:
    """Forget last rows from a position on."""
    db.execute("DELETE FROM last_rows WHERE feed = ? AND position >= ?", (feed, since))


def _rows(feed: int, rows: Mapping[str, LastRow]) -> Iterable[tuple[int, int, int, bytes]]:
    return ((feed, key_hash(one), *last) for one, last in rows.items())


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
        last_rows: the last rows that were handed over before this page.
        heartbeat: a row that is newer than the last one by this is handed over; microseconds.
    """

    def __init__(self, last_rows: LastRows, heartbeat: int) -> None:
        self._last_rows = last_rows
        self._heartbeat = heartbeat
        self._seen = 0
        self._repeats: dict[int, _Repeat] = {}
        self._handed_over: list[tuple[int, Content]] = []
        self._newest: dict[str, tuple[LastRow, int]] = {}
        self._doubtful: list[str] = []

    def changed(self, rows: list[Content]) -> list[int]:
        """From the next rows of the page, the indexes of those that are to be handed over."""
        before = self._last_rows.known(row.id for row in rows)
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
            self._last_rows.doubt(self._doubtful)
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
