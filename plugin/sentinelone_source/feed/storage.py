"""The state's files: SQLite, made whole or not at all, and never mistaken for a first start."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sentinelone_source.errors import StateError

SCHEMA_VERSION = 1
FILE = "state.sqlite"
SCRATCH = "unsettled.sqlite"

_SCHEMA = f"""
CREATE TABLE feeds (
    id INTEGER PRIMARY KEY,
    console TEXT NOT NULL,
    mapping TEXT NOT NULL,
    watermark INTEGER,
    origin INTEGER,
    signpost INTEGER,
    swept_at INTEGER,
    rescanned_at INTEGER,
    UNIQUE (console, mapping)
);
CREATE TABLE keys (
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (feed, position, key)
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
"""
_DEAD = """
CREATE TABLE IF NOT EXISTS dead (
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (feed, key)
) WITHOUT ROWID;
DELETE FROM keys WHERE position = 1 << 62; -- where versions before 0.2 kept them
"""
_UNSETTLED = """
PRAGMA scratch.journal_mode = MEMORY;
PRAGMA scratch.synchronous = OFF;
CREATE TABLE scratch.unsettled (
    feed INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    page INTEGER NOT NULL,
    PRIMARY KEY (feed, position, key)
) WITHOUT ROWID;
CREATE INDEX scratch.unsettled_page ON unsettled (page);
"""


def open_database(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open the state's file, and make it if there is none.

    Raises:
        StateError: it is empty or newer, or, to read only, missing.
        sqlite3.Error, OSError: it is damaged or cannot be written; `explained` says it in words.
    """
    if not path.exists():
        if read_only:
            raise StateError(f"{path}: no state yet; `run` makes it")
        _make(path)
    elif path.stat().st_size == 0:
        raise StateError(f"{path}: is empty, which a state never is; {_way_out(path)}")
    mode = "ro" if read_only else "rw"
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True)
    try:
        _check(db, path)
        if not read_only:
            _make_ready(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:  # SQLite takes the first bytes of a file for an empty database
        raise sqlite3.DatabaseError("not a state")
    if version != SCHEMA_VERSION:
        raise StateError(
            f"{path}: has version {version}, this program knows version {SCHEMA_VERSION}; "
            "run the version that made it, or a newer one"
        )
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("malformed")


def _make_ready(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("BEGIN IMMEDIATE")  # a state that cannot be written is better known now
    db.rollback()
    scratch = path.with_name(SCRATCH)
    scratch.unlink(missing_ok=True)
    db.execute("ATTACH DATABASE ? AS scratch", (str(scratch),))
    db.executescript(_UNSETTLED)
    db.executescript(_DEAD)


def _make(path: Path) -> None:
    """Make a new state under another name first: a file by this name is always a whole one."""
    draft = path.with_name(path.name + ".new")
    for leftover in (draft, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        leftover.unlink(missing_ok=True)
    db = sqlite3.connect(draft)
    try:
        db.executescript(_SCHEMA)
    finally:
        db.close()
    draft.rename(path)


def _way_out(path: Path) -> str:
    return (
        f"restore {path.parent} from a backup, or move it away and set `start` "
        "to where the rows should begin again"
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's errors as sentences."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error).lower()
        if "readonly" in text or "unable to open" in text:
            reason = "cannot be written; the directory must belong to this process's user"
        elif "full" in text or "disk i/o" in text:
            reason = "cannot be written: the disk is full or failing"
        elif "locked" in text:
            reason = "is locked by another program"
        else:
            reason = f"is damaged ({error}); {_way_out(path)}"
        raise StateError(f"{path}: {reason}") from None
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from None
