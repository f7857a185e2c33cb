"""The last row of each id that was handed over, for feeds with a heartbeat.

The functions work inside a transaction of the caller; the methods of `LastRows` have their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from sentinelone_source.feed.state.schema import explained, key_hash
from sentinelone_source.mapping.heartbeat import LastRow

_NOWHERE = -(1 << 63)
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


def forget(db: sqlite3.Connection, feed: int, since: int = _NOWHERE) -> None:
    """Forget last rows from a position on."""
    db.execute("DELETE FROM last_rows WHERE feed = ? AND position >= ?", (feed, since))


def _rows(feed: int, rows: Mapping[str, LastRow]) -> Iterable[tuple[int, int, int, bytes]]:
    return ((feed, key_hash(one), *last) for one, last in rows.items())
