"""The last row of each id, for feeds with a heartbeat: in memory, and as a log in the state.

The log has rows in the order in which they were handed over, those of a page in one piece: if each
id had a place of its own, a page would be a thousand writes. When it has grown, it is rewritten.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from struct import Struct

from sentinelone_source.feed.progress import ENDLESS, LOWEST
from sentinelone_source.mapping.heartbeat import DIGEST, LastRow

UNKNOWN = bytes(DIGEST)
"""Digest of a row that no row counts as a repeat of."""
_ROW = Struct(f">qI{DIGEST}s")
_ENTRY = Struct(f">q{_ROW.size}s")
"""In the log: the hash of an id, and its row."""
_WHOLE_ENTRY = Struct(f">q{_ROW.format[1:]}")
_POSITION = Struct(">q")
_LOG = "INSERT INTO last_rows VALUES (?, ?, ?)"
_LOGGED = "SELECT number, rows FROM last_rows WHERE feed = ? ORDER BY number"
_FORGET = "DELETE FROM last_rows WHERE feed = ?"
_SETTLE = "INSERT INTO last_rows SELECT page, feed, rows FROM unsettled_rows WHERE page = ?"


class LastRows:
    """The last row of each id of one feed, settled or not.

    Args:
        numbers: of what is logged next, in this feed and in others.
        writing: gives the connection for a transaction, in any thread.
    """

    def __init__(
        self,
        feed: int,
        numbers: Iterator[int],
        writing: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        self._feed, self._numbers, self._writing = feed, numbers, writing
        self._rows: dict[int, bytes] = {}
        self._logged = 0

    def load(self, first: int = LOWEST) -> None:
        """Read the log, but leave out rows of positions before this one."""
        with self._writing() as db:
            for _, log in db.execute(_LOGGED, (self._feed,)):
                self.add(log)
        self._rows = _within(self._rows, first, ENDLESS)

    def forget(self) -> None:
        """Delete the log, because rows are no longer compared."""
        with self._writing() as db:
            db.execute(_FORGET, (self._feed,))

    def get(self, one: int) -> LastRow | None:
        """The last row of an id, which is given as its hash."""
        row = self._rows.get(one)
        return _ROW.unpack(row) if row else None

    def add(self, log: bytes) -> None:
        """Take rows that have been logged, or will be when their page is settled."""
        if log:
            self._logged += 1 + len(log) // _ENTRY.size
            _merge(self._rows, log)

    def doubt(self, ids: Iterable[int]) -> None:
        """Forget what the last rows of these ids say, but not their positions."""
        log = pack((one, last[0], 0, UNKNOWN) for one in ids if (last := self.get(one)))
        with self._writing() as db:
            settle_at_once(db, self._feed, next(self._numbers), log)
        self.add(log)

    @property
    def has_grown(self) -> bool:
        """Whether the log is nearly twice as long as it has to be."""
        return self._logged > 1.75 * len(self._rows) + 100

    def prune(self, first: int) -> None:
        """Forget rows of positions before this one, and rewrite the log; in any thread."""
        self._rows = _within(self._rows, first, ENDLESS)
        self._logged = len(self._rows)
        with self._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            rewrite(db, self._feed, first)


def pack(rows: Iterable[tuple[int, int, int, bytes]]) -> bytes:
    """Rows as they are logged: hash of the id, position, size and digest."""
    return b"".join([_WHOLE_ENTRY.pack(*row) for row in rows])


def next_number(db: sqlite3.Connection) -> int:
    """The number of what is logged next."""
    return int(db.execute("SELECT ifnull(max(number), 0) + 1 FROM last_rows").fetchone()[0])


def record_unsettled(db: sqlite3.Connection, feed: int, page: int, log: bytes) -> None:
    """Keep rows until their page is settled, or this process ends."""
    if log:
        db.execute("INSERT INTO unsettled_rows VALUES (?, ?, ?)", (page, feed, log))


def settle(db: sqlite3.Connection, page: int) -> None:
    """Log the rows of a page, at the place where it was handed over."""
    db.execute(_SETTLE, (page,))
    db.execute("DELETE FROM unsettled_rows WHERE page = ?", (page,))


def settle_at_once(db: sqlite3.Connection, feed: int, page: int, log: bytes) -> None:
    """Log the rows of a page."""
    if log:
        db.execute(_LOG, (page, feed, log))


def rewrite(db: sqlite3.Connection, feed: int, first: int = LOWEST, end: int = ENDLESS) -> None:
    """Log each id once, if the position of its last row is from `first` to before `end`."""
    logged = db.execute(_LOGGED, (feed,)).fetchall()
    if logged:
        rows: dict[int, bytes] = {}
        for _, log in logged:
            _merge(rows, log)
        kept = _within(rows, first, end).items()
        db.execute(_FORGET, (feed,))
        settle_at_once(db, feed, logged[-1][0], b"".join([_ENTRY.pack(*one) for one in kept]))


def _merge(rows: dict[int, bytes], log: bytes) -> None:
    for one, row in _ENTRY.iter_unpack(log):
        last = rows.get(one)
        if last is None or _position(last) <= _position(row):
            rows[one] = row


def _within(rows: dict[int, bytes], first: int, end: int) -> dict[int, bytes]:
    return {one: row for one, row in rows.items() if first <= _position(row) < end}


def _position(row: bytes) -> int:
    return int(_POSITION.unpack_from(row)[0])
