"""Reads a state that another process uses, without a lock and without a check of the whole file."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple, Self

from sentinelone_source.errors import StateError
from sentinelone_source.feed.state.progress import Progress
from sentinelone_source.feed.state.schema import (
    SCHEMA_VERSION,
    STATE_FILE,
    explained,
    key_hash,
)
from sentinelone_source.times import SECOND


class StateSnapshot(NamedTuple):
    """A state at one moment. Times are unix seconds of our clock.

    Attributes:
        swept: by console and mapping, when the last complete sweep began; None if there was none.
        written: when the last page was settled.
        started: when the last process opened the state.
    """

    swept: dict[tuple[str, str], float | None]
    written: float
    started: float


def read_snapshot(folder: Path) -> StateSnapshot:
    """Read the state in a directory.

    Raises:
        StateError: there is no state, or it cannot be read.
    """
    path = folder / STATE_FILE
    with explained(path), closing(_opened(path, oldest=1)) as db:
        rows = db.execute("SELECT console, mapping, swept_at FROM feeds").fetchall()
    swept = {(row[0], row[1]): None if row[2] is None else row[2] / SECOND for row in rows}
    written = max(_changed(path), _changed(path.with_name(f"{STATE_FILE}-wal")))
    return StateSnapshot(swept, written, _changed(folder / "lock"))


class RememberedFeed(NamedTuple):
    """A feed in a state: its number there, and how far it was complete."""

    number: int
    progress: Progress


class KeySnapshot:
    """The keys that a state has at one moment; a context manager.

    Later writes of another process are not seen, and do not have to wait.

    Args:
        folder: the state directory.

    Attributes:
        feeds: the feeds of the state, by console and mapping.

    Raises:
        StateError: there is no state, or it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATE_FILE
        with explained(self._path):
            self._db = _opened(self._path, oldest=3)
            self._db.execute("BEGIN")  # all later queries see the state of the first one
            rows = self._db.execute(
                "SELECT console, mapping, id, watermark, origin, signpost, swept_at, rescanned_at, "
                "forgotten, rechecked FROM feeds"
            ).fetchall()
        self.feeds = {
            (row[0], row[1]): RememberedFeed(row[2], Progress.from_row(row[3:])) for row in rows
        }

    def holds(self, feed: int, key: str, position: int) -> bool:
        """Whether the row with this key and position was handed over and settled."""
        query = "SELECT 1 FROM keys WHERE feed = ? AND position = ? AND hash = ?"
        with explained(self._path):
            found = self._db.execute(query, (feed, position, key_hash(key)))
            return found.fetchone() is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()


def _opened(path: Path, oldest: int) -> sqlite3.Connection:
    """Open the file of a state, read-only.

    Args:
        path: of the file.
        oldest: the oldest schema version that has the tables in question.

    Raises:
        StateError: there is no state, or its version is not supported.
    """
    if not path.exists():
        raise StateError(f"{path}: no state yet; `run` makes it")
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if not oldest <= version <= SCHEMA_VERSION:
        db.close()
        raise StateError(
            f"{path}: has version {version}, not {SCHEMA_VERSION}; `run` updates an older one"
        )
    return db


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
