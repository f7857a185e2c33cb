"""Opens the files of a state: for the process that runs, and for others that only look.

A damaged or incomplete file is never taken for a new one.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from sentinelone_source.errors import StateError, StateLocked
from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.state import last_rows
from sentinelone_source.feed.state.schema import (
    MIGRATIONS,
    PROGRESS,
    SCHEMA,
    SCHEMA_VERSION,
    UNSETTLED,
    key_hash,
)
from sentinelone_source.times import SECOND
from sentinelone_source.timings import DEFAULTS

STATE_FILE = "state.sqlite"
UNSETTLED_FILE = "unsettled.sqlite"


def lock_folder(folder: Path) -> int:
    """Lock a directory for this process, until the descriptor that this returns is closed.

    Raises:
        StateLocked: another process holds it; the message has its pid.
        StateError: the directory cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{folder}: cannot be used as state: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        pid = os.read(file, 32).decode(errors="replace").strip() or "unknown"
        os.close(file)
        raise StateLocked(f"{folder}: in use by another instance, pid {pid}") from None
    except OSError as error:
        os.close(file)
        raise StateError(f"{folder}: cannot be written: {error.strerror}") from None
    return file


def open_database(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open the state's file, and make it if there is none.

    Raises StateError, and what `explained` translates: sqlite3.Error, OSError.
    """
    if not read_only and not path.exists():
        _make(path)
    with ExitStack() as unless_opened:
        db = _connect(path, "ro" if read_only else "rw")
        unless_opened.callback(db.close)
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("malformed")
        if not read_only:
            _make_ready(db, path)
        unless_opened.pop_all()
    return db


def open_writer(path: Path) -> sqlite3.Connection:
    """Open a second connection to an open state, with which any thread may commit."""
    db = _connection(path, "rw", check_same_thread=False)
    db.execute("PRAGMA synchronous = FULL")
    return db


def _connection(path: Path, mode: str, *, check_same_thread: bool = True) -> sqlite3.Connection:
    uri, timeout = f"{path.resolve().as_uri()}?mode={mode}", DEFAULTS.state_busy
    if mode == "ro" and _is_at_rest(path):
        uri += "&immutable=1"
    return sqlite3.connect(uri, timeout, uri=True, check_same_thread=check_same_thread)


def _connect(path: Path, mode: str, oldest: int = 1) -> sqlite3.Connection:
    """Open a state whose schema has at least the version `oldest`."""
    if not path.exists():
        raise StateError(f"{path}: no state yet; `run` makes it")
    if path.stat().st_size == 0:
        raise StateError(f"{path}: is empty, so it is not a state; {_way_out(path)}")
    with ExitStack() as unless_opened:
        db = _connection(path, mode)
        unless_opened.callback(db.close)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:  # SQLite accepts some damaged files as empty databases
            raise sqlite3.DatabaseError("not a state")
        if not 0 < version <= SCHEMA_VERSION:
            raise StateError(
                f"{path}: has version {version}, but this program supports {SCHEMA_VERSION}; "
                "run the version that made it, or a newer one"
            )
        if version < oldest:
            raise StateError(
                f"{path}: has version {version}, not {SCHEMA_VERSION}; `run` updates an older one"
            )
        unless_opened.pop_all()
    return db


def _is_at_rest(path: Path) -> bool:
    """Whether no process has the state open, and we may not make the files that SQLite asks for."""
    log = path.with_name(f"{path.name}-wal")
    return not os.access(path.parent, os.W_OK) and not log.exists()


def _make_ready(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("BEGIN IMMEDIATE")  # fails now if the state cannot be written
    db.rollback()
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.create_function("key_hash", 1, key_hash, deterministic=True)
    db.create_function("last_row", 3, _last_row, deterministic=True)
    for migration in MIGRATIONS[version - 1 :]:
        db.executescript(migration)
    scratch = path.with_name(UNSETTLED_FILE)
    scratch.unlink(missing_ok=True)
    db.execute("ATTACH DATABASE ? AS scratch", (str(scratch),))
    db.executescript(UNSETTLED)


def _last_row(one: int, position: int, digest: bytes) -> bytes:
    """A row of a state of version 3 as it is logged now; its size was not stored."""
    return last_rows.pack([(one, position, 0, digest)])


def _make(path: Path) -> None:
    """Make a new state under another name and rename it, so that the file is always complete."""
    draft = path.with_name(path.name + ".new")
    for leftover in (draft, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        leftover.unlink(missing_ok=True)
    with closing(sqlite3.connect(draft)) as db:
        db.executescript(SCHEMA)
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
    """Read a state that another process uses, without a lock. Raises StateError."""
    path = folder / STATE_FILE
    with explained(path), closing(_connect(path, "ro")) as db:
        rows = db.execute("SELECT console, mapping, swept_at FROM feeds").fetchall()
    swept = {(row[0], row[1]): None if row[2] is None else row[2] / SECOND for row in rows}
    written = max(_changed(path), _changed(path.with_name(f"{STATE_FILE}-wal")))
    return StateSnapshot(swept, written, _changed(folder / "lock"))


class KeySnapshot:
    """The keys that a state has at one moment; later writes of another process are not seen.

    Raises StateError if there is no state, or it cannot be read.

    Attributes:
        feeds: by console and mapping, each feed's number, and how far it is complete.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATE_FILE
        with explained(self._path):
            self._db = _connect(self._path, "ro", oldest=3)
            self._db.execute("BEGIN")  # all later queries see the state of the first one
            feeds = f"SELECT console, mapping, id, {PROGRESS} FROM feeds"  # noqa: S608
            rows = self._db.execute(feeds).fetchall()
        self.feeds = {(row[0], row[1]): (row[2], Progress.from_row(row[3:])) for row in rows}

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


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
