"""The last row of each id in the state, for feeds with a heartbeat.

The functions work inside a transaction of the caller; the methods of `LastRows` have their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sentinelone_source.feed.state.files import explained
from sentinelone_source.mapping.heartbeat import LastRow

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
