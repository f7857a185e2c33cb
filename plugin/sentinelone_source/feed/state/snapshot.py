"""A quick look at a state that another process works on: no lock, no check of the whole file."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from sentinelone_source.errors import StateError
from sentinelone_source.feed.state.schema import SCHEMA_VERSION, STATE_FILE, explained
from sentinelone_source.times import SECOND


class StateSnapshot(NamedTuple):
    """What a state says at one moment. Moments are unix seconds of our clock.

    Attributes:
        swept: by console and mapping, when the last sweep began that came to its end; None if none
            did yet.
        written: when anything was settled last.
        started: when a process began to work on the state last.
    """

    swept: dict[tuple[str, str], float | None]
    written: float
    started: float


def read_snapshot(folder: Path) -> StateSnapshot:
    """Look at the state in a directory.

    Raises:
        StateError: there is none, or it cannot be read.
    """
    path = folder / STATE_FILE
    if not path.exists():
        raise StateError(f"{path}: no state yet; `run` makes it")
    with (
        explained(path),
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db,
    ):
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StateError(f"{path}: has version {version}, not {SCHEMA_VERSION}")
        rows = db.execute("SELECT console, mapping, swept_at FROM feeds").fetchall()
    swept = {(row[0], row[1]): None if row[2] is None else row[2] / SECOND for row in rows}
    written = max(_changed(path), _changed(path.with_name(f"{STATE_FILE}-wal")))
    return StateSnapshot(swept, written, _changed(folder / "lock"))


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
