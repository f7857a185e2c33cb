"""State files that are not as they should be: an error with the way out, never a fresh start."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from sentinelone_source.errors import StateError
from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.state.files import KeySnapshot, read_snapshot
from sentinelone_source.feed.state.last_rows import UNKNOWN
from sentinelone_source.feed.state.schema import RowKeys, SettledPage, key_hash
from sentinelone_source.feed.state.state import State
from sentinelone_source.times import SECOND
from support.states import filled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILL = """
import sys
from pathlib import Path
from sentinelone_source.errors import StateError
from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.state.schema import RowKeys, SettledPage
from sentinelone_source.feed.state.state import State
try:
    state = State(Path(sys.argv[1]))
    feed = state.feed("acme", "threats")
    for page in range(400):
        keys = [f"{page}-{n}-{'x' * 40}" for n in range(1000)]
        rows = RowKeys(keys, list(range(1000)))
        written = SettledPage(feed, rows, Progress(watermark=page), 0)
        state.settle([state.record_unsettled(written)])
        print(page, flush=True)
except StateError as error:
    print(error)
    sys.exit(7)
"""
NOBODY = 65534
RECHECKED = Progress(watermark=9, rechecked=((600 * SECOND, 7), (86_400 * SECOND, 3)))


def run(
    folder: Path, script: str = FILL, prepare: Callable[[], None] | None = None
) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        preexec_fn=prepare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()[-1] if done.stdout else ""


def damaged(folder: Path, data: bytes | None = None, keep: int | None = None) -> Path:
    """A state's folder whose file has been replaced or cut."""
    path = filled(folder, [f"{n}@{'v' * 60}" for n in range(2000)]) / "state.sqlite"
    path.write_bytes(path.read_bytes()[:keep] if data is None else data)
    return folder


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("data", "keep", "says"),
    [
        (b"", None, "is empty"),
        (b"no database at all\n" * 500, None, "is damaged"),
        (b"\0" * 20_000, None, "is damaged"),
        (None, 50, "is damaged"),
        (None, 8192, "is damaged"),
        (None, 10_000, "is damaged"),
        (None, -4096, "is damaged"),
    ],
    ids=["empty", "text", "zeros", "head", "two-pages", "torn", "tail"],
)
def test_damaged(
    tmp_path: Path, data: bytes | None, keep: int | None, says: str, read_only: bool
) -> None:
    """A damaged state is an error that names the file and the way out; the file stays as it is."""
    path = damaged(tmp_path, data, keep) / "state.sqlite"
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StateError, match=says) as caught:
            State(tmp_path, read_only=read_only)
        assert str(path) in str(caught.value)
        assert "restore" in str(caught.value)
    assert path.read_bytes() == before


def test_flipped_page(tmp_path: Path) -> None:
    """A damaged page inside the file is found when the state is opened."""
    path = damaged(tmp_path) / "state.sqlite"
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 3 + 64] = os.urandom(64)
    path.write_bytes(data)
    with pytest.raises(StateError, match="is damaged"):
        State(tmp_path)


@pytest.mark.parametrize(
    "open_state", [State, partial(State, read_only=True), read_snapshot, KeySnapshot]
)
def test_newer_version(tmp_path: Path, open_state: Callable[[Path], object]) -> None:
    """A state of a newer version is refused, for reading and for writing, by every command."""
    with sqlite3.connect(filled(tmp_path) / "state.sqlite") as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(StateError, match="has version 9, but this program supports 4"):
        open_state(tmp_path)


VERSION_1 = """
CREATE TABLE feeds (id INTEGER PRIMARY KEY, console TEXT NOT NULL, mapping TEXT NOT NULL,
    watermark INTEGER, origin INTEGER, signpost INTEGER, swept_at INTEGER, rescanned_at INTEGER,
    UNIQUE (console, mapping));
CREATE TABLE keys (feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    position INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (feed, position, key)) WITHOUT ROWID;
INSERT INTO feeds VALUES (1, 'acme', 'threats', 1800000900000000, 5, 1800000900000000, 7, 8);
INSERT INTO feeds VALUES (2, 'acme', 'agents', 1800000900000000, NULL, 1800000900000000, 7, 8);
INSERT INTO feeds VALUES (3, 'acme', 'groups', NULL, NULL, NULL, NULL, NULL);
INSERT INTO keys VALUES (1, 1799999000000000, 'a@1');
INSERT INTO keys VALUES (1, 1800000800000000, 'b@😀');
INSERT INTO keys VALUES (1, 4611686018427387904, 'dead:0123');
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""
"""A state as version 0.5 made it."""


VERSION_2 = f"""
{VERSION_1}
ALTER TABLE feeds ADD COLUMN forgotten INTEGER;
DROP TABLE keys;
CREATE TABLE keys (feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    position INTEGER NOT NULL, hash INTEGER NOT NULL, PRIMARY KEY (feed, position, hash)
) WITHOUT ROWID;
CREATE TABLE dead (feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    key TEXT NOT NULL, seen_at INTEGER NOT NULL, PRIMARY KEY (feed, key)) WITHOUT ROWID;
INSERT INTO keys VALUES (1, 1799999000000000, {key_hash("a@1")});
INSERT INTO keys VALUES (1, 1800000800000000, {key_hash("b@😀")});
UPDATE feeds SET forgotten = 1799999000000000 WHERE id = 1;
UPDATE feeds SET forgotten = 1799999700000000 WHERE id = 2;
PRAGMA user_version = 2;
"""
"""The same, as version 0.9 made it."""


VERSION_3 = f"""
{VERSION_2}
ALTER TABLE feeds ADD COLUMN rechecked TEXT NOT NULL DEFAULT '[]';
CREATE TABLE last_rows (feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    id INTEGER NOT NULL, position INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (feed, id)
) WITHOUT ROWID;
INSERT INTO last_rows VALUES (2, {key_hash("7")}, 1800000800000000, x'000102030405060708090a0b');
INSERT INTO last_rows VALUES (2, {key_hash("8")}, 1800000800000001, x'');
INSERT INTO last_rows VALUES (3, {key_hash("7")}, 1800000800000002, x'ffffffffffffffffffffffff');
PRAGMA user_version = 3;
"""
"""The same, as a version between 0.9 and the next one made it."""


def test_last_rows_are_migrated(tmp_path: Path) -> None:
    """What version 3 remembers of the last row of each id is remembered."""
    with sqlite3.connect(tmp_path / "state.sqlite") as db:
        db.executescript(VERSION_3)
    db.close()
    for _ in range(2):
        state = State(tmp_path)
        agents, groups = state.last_rows(2), state.last_rows(3)
        agents.load()
        groups.load()
        assert agents.get(key_hash("7")) == (1800000800000000, 0, bytes(range(12)))
        assert agents.get(key_hash("8")) == (1800000800000001, 0, UNKNOWN)
        assert groups.get(key_hash("7")) == (1800000800000002, 0, b"\xff" * 12)
        assert groups.get(key_hash("8")) is None
        agents.prune(0)
        state.close()


@pytest.mark.parametrize(
    "script", [VERSION_1, VERSION_2, VERSION_3], ids=["version 1", "version 2", "version 3"]
)
def test_an_older_state_is_migrated(tmp_path: Path, script: str) -> None:
    """What an older version remembers is remembered, and how far it may have forgotten is known."""
    with sqlite3.connect(tmp_path / "state.sqlite") as db:
        db.executescript(script)
    db.close()
    looking = State(tmp_path, read_only=True)
    known = {"agents": 0, "groups": 0, "threats": 2}
    assert {one.mapping: one.keys for one in looking.show()} == known
    looking.close()
    for _ in range(2):
        state = State(tmp_path)
        positions = [1799999000000000, 1800000800000000, 1800000800000000]
        assert state.known(1, ["a@1", "b@😀", "c@1"], positions) == {"a@1", "b@😀"}
        assert state.progress(1) == Progress(
            1800000900000000, 5, 1800000900000000, 7, 8, 1799999000000000
        )
        assert state.progress(2).forgotten == 1800000900000000 - 1200 * SECOND
        assert state.progress(3) == Progress()
        state.settle_at_once([SettledPage(3, RowKeys([], []), RECHECKED, None)])
        assert state.progress(3) == RECHECKED
        state.settle_at_once([SettledPage(3, RowKeys([], []), Progress(), None)])
        state.close()


def test_crash_while_a_state_is_made(tmp_path: Path) -> None:
    """A crash while a state is made leaves none, and the next start makes it."""
    crash = "import os, pathlib\npathlib.Path.rename = lambda *_: os.kill(os.getpid(), 9)\n"
    status, _ = run(tmp_path, crash + FILL)
    assert status == -signal.SIGKILL
    assert not (tmp_path / "state.sqlite").exists()
    assert (tmp_path / "state.sqlite.new").exists()
    with pytest.raises(StateError, match="no state yet"):
        State(tmp_path, read_only=True)
    State(tmp_path).close()
    assert not (tmp_path / "state.sqlite.new").exists()


def test_left_over_journal(tmp_path: Path) -> None:
    """The journal of a state that was removed is not read into the new one."""
    state = State(tmp_path)
    state.feed("acme", "threats")
    journal = (tmp_path / "state.sqlite-wal").read_bytes()
    assert journal
    state.close()
    (tmp_path / "state.sqlite").unlink()
    (tmp_path / "state.sqlite-wal").write_bytes(journal)
    state = State(tmp_path)
    assert state.show() == []
    state.close()


def let_pass(folder: Path) -> None:
    """Open a folder, and those that it is in, to all users; pytest makes private ones."""
    for one in (*folder.parents, folder):
        if not one.stat().st_mode & 0o001:
            one.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="drops privileges, so it needs some")
@pytest.mark.parametrize("make", [True, False], ids=["used", "new"])
@pytest.mark.untraced
def test_directory_of_another_user(tmp_path: Path, make: bool) -> None:
    """A state directory without permissions is an error that names it."""
    folder = tmp_path / "state"
    folder.mkdir()
    if make:
        filled(folder)
    let_pass(folder)
    drop = f"import os; os.setgid({NOBODY}); os.setuid({NOBODY})\ntry:\n    state = "
    status, last = run(folder, FILL.replace("try:\n    state = ", drop))
    assert status == 7
    assert f"{folder}: cannot be used as state: Permission denied" in last


@pytest.mark.skipif(os.geteuid() != 0, reason="drops privileges, so it needs some")
def test_looking_at_what_we_may_not_write(tmp_path: Path) -> None:
    """Who may read a state, and write nothing, can look at it, beside its process and without."""
    look = (
        "import os, sys; from pathlib import Path\n"
        "from sentinelone_source.feed.state.state import State\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "print([feed.mapping for feed in State(Path(sys.argv[1]), read_only=True).show()])"
    )
    folder = filled(tmp_path / "state")
    let_pass(folder)
    assert run(folder, look) == (0, "['threats']")
    state = State(folder)
    state.feed("acme", "groups")
    assert run(folder, look) == (0, "['groups', 'threats']")
    state.close()
    assert run(folder, look) == (0, "['groups', 'threats']")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_directory(tmp_path: Path) -> None:
    """A read-only state directory is an error that says so."""
    folder = filled(tmp_path / "state")
    folder.chmod(0o500)
    status, last = run(folder)
    folder.chmod(0o700)
    assert status == 7
    assert "cannot be written" in last or "cannot be used" in last


def test_full_disk(tmp_path: Path) -> None:
    """A full disk is an error that says so, and what had been settled is kept."""

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))

    status, last = run(tmp_path, prepare=small)
    assert status == 7
    assert "cannot be written: the disk is full or failing" in last
    state = State(tmp_path)
    settled = state.progress(state.feed("acme", "threats")).watermark
    assert settled is not None
    assert settled > 2
    assert [one.keys for one in state.show()] == [(settled + 1) * 1000]
    state.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
@pytest.mark.parametrize("size", ["20k", "300k", "2m"])
def test_full_file_system(tmp_path: Path, size: str) -> None:
    """On a full file system each start ends with an error that says so."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount")
    try:
        status, last = run(tmp_path)
        assert status == 7
        assert "disk is full" in last or "No space left" in last
        status, last = run(tmp_path)
        assert status == 7
        assert "disk is full" in last or "No space left" in last
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
