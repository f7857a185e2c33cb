"""The tables and files of the state. A damaged or incomplete file is never taken for a new one."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from sentinelone_source.errors import StateError

SCHEMA_VERSION = 3
STATE_FILE = "state.sqlite"
UNSETTLED_FILE = "unsettled.sqlite"
_PATIENCE = 60.0
"""Seconds that one connection waits for a commit of another: a disk can be slow."""
BEYOND_POSITIONS = 1 << 62
"""Where version 1 kept the keys of dead letters."""

_KEYS = """
CREATE TABLE keys (
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    PRIMARY KEY (feed, position, hash)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead (
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (feed, key)
) WITHOUT ROWID;
"""
_LAST_ROWS = """
CREATE TABLE last_rows (
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (feed, id)
) WITHOUT ROWID;
"""
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
    forgotten INTEGER,
    rechecked TEXT NOT NULL DEFAULT '[]',
    UNIQUE (console, mapping)
);
{_KEYS}
{_LAST_ROWS}
PRAGMA user_version = {SCHEMA_VERSION};
"""
_FROM_1 = """
BEGIN IMMEDIATE;
ALTER TABLE feeds ADD COLUMN forgotten INTEGER;
ALTER TABLE keys RENAME TO keys_1;
{keys}
INSERT OR IGNORE INTO keys
    SELECT feed, position, key_hash(key) FROM keys_1 WHERE position < 1 << 62;
UPDATE feeds SET forgotten = min(
    ifnull(min(watermark, signpost), watermark) - 1200000000,
    ifnull((SELECT min(position) FROM keys WHERE feed = feeds.id), watermark)
);
DROP TABLE keys_1;
PRAGMA user_version = 2;
COMMIT;
""".replace("{keys}", _KEYS)
"""Version 1 had keys as text and did not store how far they had been deleted. It kept keys for at
least twice the look-back, by default 20 minutes."""
_FROM_2 = f"""
BEGIN IMMEDIATE;
ALTER TABLE feeds ADD COLUMN rechecked TEXT NOT NULL DEFAULT '[]';
{_LAST_ROWS}
PRAGMA user_version = 3;
COMMIT;
"""
_MIGRATIONS = (_FROM_1, _FROM_2)
"""Each migrates from one version to the next, beginning with version 1."""
_UNSETTLED = """
PRAGMA scratch.journal_mode = MEMORY;
PRAGMA scratch.synchronous = OFF;
CREATE TABLE scratch.unsettled (
    feed INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    page INTEGER NOT NULL,
    PRIMARY KEY (feed, position, hash)
) WITHOUT ROWID;
CREATE INDEX scratch.unsettled_page ON unsettled (page);
CREATE TABLE scratch.unsettled_rows (
    feed INTEGER NOT NULL,
    id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    page INTEGER NOT NULL,
    PRIMARY KEY (feed, id, page)
) WITHOUT ROWID;
CREATE INDEX scratch.unsettled_rows_page ON unsettled_rows (page);
"""


def key_hash(key: str) -> int:
    """The hash of a key in the state: 64 bits, the same in every process."""
    return key_hashes([key])[0]


def key_hashes(keys: Collection[str]) -> tuple[int, ...]:
    """The hash of each of these keys, in the same order."""
    try:
        digests = [blake2b(key.encode(), digest_size=8).digest() for key in keys]
    except UnicodeEncodeError:
        texts = [key.encode("utf-8", "surrogatepass") for key in keys]
        digests = [blake2b(text, digest_size=8).digest() for text in texts]
    return struct.unpack(f"<{len(keys)}q", b"".join(digests))


def open_database(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open the state's file, and make it if there is none.

    Raises:
        StateError: the file is empty or newer than this program, or is missing with `read_only`.
        sqlite3.Error, OSError: it is damaged or cannot be written. `explained` translates these.
    """
    if not path.exists():
        if read_only:
            raise StateError(f"{path}: no state yet; `run` makes it")
        _make(path)
    elif path.stat().st_size == 0:
        raise StateError(f"{path}: is empty, which a state never is; {_way_out(path)}")
    mode = "ro" if read_only else "rw"
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    db = sqlite3.connect(uri, timeout=_PATIENCE, uri=True)
    try:
        _check(db, path)
        if not read_only:
            _make_ready(db, path)
    except BaseException:
        db.close()
        raise
    return db


def open_writer(path: Path) -> sqlite3.Connection:
    """Open a second connection to an open state, with which any thread may commit."""
    uri = f"{path.resolve().as_uri()}?mode=rw"
    db = sqlite3.connect(uri, timeout=_PATIENCE, uri=True, check_same_thread=False)
    db.execute("PRAGMA synchronous = FULL")
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:  # SQLite accepts some damaged files as empty databases
        raise sqlite3.DatabaseError("not a state")
    if not 0 < version <= SCHEMA_VERSION:
        raise StateError(
            f"{path}: has version {version}, this program knows version {SCHEMA_VERSION}; "
            "run the version that made it, or a newer one"
        )
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("malformed")


def _make_ready(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("BEGIN IMMEDIATE")  # fails now if the state cannot be written
    db.rollback()
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.create_function("key_hash", 1, key_hash, deterministic=True)
    for migration in _MIGRATIONS[version - 1 :]:
        db.executescript(migration)
    scratch = path.with_name(UNSETTLED_FILE)
    scratch.unlink(missing_ok=True)
    db.execute("ATTACH DATABASE ? AS scratch", (str(scratch),))
    db.executescript(_UNSETTLED)


def _make(path: Path) -> None:
    """Make a new state under another name and rename it, so that the file is always complete."""
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
    """Raise errors of SQLite and the file system as StateError, with a sentence for users."""
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
