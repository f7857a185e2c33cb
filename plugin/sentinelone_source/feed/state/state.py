"""The state: how far each feed is complete, and the keys of rows that were handed over.

Settled pages are committed in transactions. Rows that are handed over but not settled are in a
scratch file: this process knows them, and after a crash they are unknown, so they are sent again.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, repeat
from pathlib import Path

import msgspec

from sentinelone_source.errors import StateError
from sentinelone_source.feed.progress import LOWEST, Progress
from sentinelone_source.feed.state import last_rows
from sentinelone_source.feed.state.files import (
    STATE_FILE,
    explained,
    lock_folder,
    open_database,
    open_writer,
)
from sentinelone_source.feed.state.schema import (
    BEYOND_POSITIONS,
    PROGRESS,
    SettledPage,
    UnsettledPage,
    find_known,
    key_hashes,
)

_SETTLE = "INSERT OR IGNORE INTO keys SELECT feed, position, hash FROM unsettled WHERE page = ?"
_ADVANCE = f"UPDATE feeds SET ({PROGRESS}) = (?, ?, ?, ?, ?, ?, ?) WHERE id = ?"  # noqa: S608
_SHOW = """
SELECT id, console, mapping, watermark, origin, signpost, swept_at, rescanned_at,
    (SELECT count(*) FROM keys WHERE feed = feeds.id AND position < ?)
FROM feeds ORDER BY 2, 3
"""
"""This works with older versions, too, which are only read."""
_REWIND = """
UPDATE feeds SET watermark = ?1, origin = ?1, signpost = NULL, swept_at = NULL,
    rescanned_at = NULL, rechecked = '[]', forgotten = min(forgotten, ?1)
WHERE id = ?2
"""


class FeedState(msgspec.Struct, frozen=True):
    """One feed's line of `state show`; `number` is its number in the state."""

    number: int
    console: str
    mapping: str
    progress: Progress
    keys: int


class State:
    """The state of all feeds, in one directory that one process holds at a time.

    With `read_only` it takes no lock and writes nothing; else it makes what is missing.

    Raises:
        StateLocked: another process holds the state.
        StateError: it is damaged, empty, newer than this program, or cannot be written.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self.folder = folder
        self._path = folder / STATE_FILE
        self._newest: dict[int, int] = {}
        self._writing = threading.Lock()
        self._lock = None if read_only else lock_folder(folder)
        try:
            with explained(self._path):
                self._db = open_database(self._path, read_only=read_only)
                self._writer = self._db if read_only else open_writer(self._path)
                self._numbers = count(0 if read_only else last_rows.next_number(self._db))
        except BaseException:
            self._release()
            raise

    def close(self) -> None:
        """Close the file and release the lock."""
        with self._writing:
            self._writer.close()
            self._db.close()
        self._release()

    def enter(self, feeds: Iterable[tuple[str, str]]) -> None:
        """Add those of these feeds, by console and mapping, that are new, in one transaction."""
        new = "INSERT OR IGNORE INTO feeds (console, mapping) VALUES (?, ?)"
        with explained(self._path), self._db:
            self._db.executemany(new, feeds)

    def feed(self, console: str, mapping: str) -> int:
        """The number of a feed, which is added if it is new."""
        self.enter([(console, mapping)])
        query = "SELECT id FROM feeds WHERE console = ? AND mapping = ?"
        with explained(self._path):
            return int(self._db.execute(query, (console, mapping)).fetchone()[0])

    def progress(self, feed: int) -> Progress:
        """How far a feed is complete, by settled pages only."""
        query = f"SELECT {PROGRESS} FROM feeds WHERE id = ?"  # noqa: S608
        with explained(self._path):
            return Progress.from_row(self._db.execute(query, (feed,)).fetchone())

    def known(self, feed: int, keys: list[str], positions: list[int]) -> set[str]:
        """The keys of these rows that were handed over before."""
        highest = self._newest_known(feed)
        if max(positions, default=0) > highest:
            rows = [(key, at) for key, at in zip(keys, positions, strict=True) if at <= highest]
            keys, positions = [key for key, _ in rows], [at for _, at in rows]
        if not keys:
            return set()
        with explained(self._path):
            return find_known(self._db, feed, keys, positions)

    def last_rows(self, feed: int) -> last_rows.LastRows:
        """The last row of each id of a feed, when it has been loaded."""
        return last_rows.LastRows(feed, self._numbers, self._write)

    def record_unsettled(self, page: SettledPage) -> UnsettledPage:
        """Remember a page's rows as handed over, until it is settled or this process ends."""
        number = next(self._numbers)
        feed, (keys, positions, last), progress, prune_before = page
        self.raise_newest(feed, positions)
        rows = zip(repeat(feed), positions, key_hashes(keys), repeat(number))
        with explained(self._path), self._db as db:
            db.executemany("INSERT OR IGNORE INTO unsettled VALUES (?, ?, ?, ?)", rows)
            last_rows.record_unsettled(db, feed, number, last)
        return UnsettledPage(number, feed, progress, prune_before)

    def settle(self, pages: Iterable[UnsettledPage]) -> None:
        """Make rows and progress of these pages permanent, in one transaction."""
        with explained(self._path), self._db as db:
            for page in pages:
                db.execute(_SETTLE, (page.number,))
                db.execute("DELETE FROM unsettled WHERE page = ?", (page.number,))
                last_rows.settle(db, page.number)
                _advance(db, page)

    def settle_at_once(self, pages: Iterable[SettledPage]) -> None:
        """Make pages permanent without `record_unsettled`, in one transaction; in any thread."""
        with self._write() as db:
            for page in pages:
                hashes = key_hashes(page.rows.keys)
                rows = zip(repeat(page.feed), page.rows.positions, hashes)
                db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?)", rows)
                last_rows.settle_at_once(db, page.feed, next(self._numbers), page.rows.last_rows)
                _advance(db, page)

    def dead(self, feed: int, keys: Iterable[str]) -> set[str]:
        """The keys of these records that are dead letters already."""
        query = "SELECT 1 FROM dead WHERE feed = ? AND key = ?"
        with explained(self._path):
            return {key for key in keys if self._db.execute(query, (feed, key)).fetchone()}

    def remember_dead(self, feed: int, keys: Iterable[str], now: int, prune_before: int) -> None:
        """Remember records as dead letters, and forget those last seen before a moment."""
        rows = zip(repeat(feed), keys, repeat(now))
        forget = "DELETE FROM dead WHERE feed = ? AND seen_at < ?"
        with explained(self._path), self._db as db:
            db.executemany("INSERT OR REPLACE INTO dead VALUES (?, ?, ?)", rows)
            db.execute(forget, (feed, prune_before))

    def _newest_known(self, feed: int) -> int:
        """The highest position of the known rows of a feed."""
        if feed not in self._newest:
            query = "SELECT max(position) FROM keys WHERE feed = ?"
            with explained(self._path):
                highest = self._db.execute(query, (feed,)).fetchone()[0]
            self._newest[feed] = LOWEST if highest is None else highest
        return self._newest[feed]

    def raise_newest(self, feed: int, positions: list[int]) -> None:
        """Note that rows at these positions are about to become known."""
        self._newest[feed] = max(self._newest_known(feed), max(positions, default=LOWEST))

    def show(self) -> list[FeedState]:
        """All feeds, for `state show`."""
        with explained(self._path):
            rows = self._db.execute(_SHOW, (BEYOND_POSITIONS,)).fetchall()
        return [FeedState(row[0], row[1], row[2], Progress(*row[3:8]), row[8]) for row in rows]

    def rewind(self, feeds: Sequence[FeedState], moment: int) -> None:
        """Let the next sweep of each feed begin at a moment: of all of them, or of none.

        Rows from there on are forgotten, so they are handed over again. Older rows are not.
        Raises StateError if the moment is after the watermark of one of them.
        """
        ahead = [
            feed
            for feed in feeds
            if feed.progress.watermark is not None and feed.progress.watermark < moment
        ]
        if ahead:
            names = ", ".join(f"{feed.console}/{feed.mapping}" for feed in ahead)
            raise StateError(
                f"{names}: the watermark can only be moved back; to skip records, set `start`"
            )
        numbers = [(moment, feed.number) for feed in feeds]
        with explained(self._path), self._db:
            forget = "DELETE FROM keys WHERE position >= ? AND feed = ?"
            self._db.executemany(forget, numbers)
            for _, feed in numbers:
                last_rows.rewrite(self._db, feed, end=moment)
            self._db.executemany(_REWIND, numbers)
        self._newest.clear()

    def reset(self, feed: int) -> None:
        """Forget a feed: its next sweep is a first one."""
        with explained(self._path), self._db as db:
            for table in ("keys", "dead", "last_rows"):
                db.execute(f"DELETE FROM {table} WHERE feed = ?", (feed,))  # noqa: S608
            db.execute("DELETE FROM feeds WHERE id = ?", (feed,))

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """A transaction, in any thread."""
        with self._writing, explained(self._path), self._writer as db:
            yield db

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)


def _advance(db: sqlite3.Connection, page: SettledPage | UnsettledPage) -> None:
    db.execute(_ADVANCE, (*page.progress.row(), page.feed))
    if page.prune_before is not None:
        forget = "DELETE FROM keys WHERE feed = ? AND position < ?"
        db.execute(forget, (page.feed, page.prune_before))
