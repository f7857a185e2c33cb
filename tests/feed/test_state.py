"""What survives, and what is forgotten as it must be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinelone_source.errors import StateError, StateLocked
from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.state.schema import RowKeys, SettledPage
from sentinelone_source.feed.state.state import State
from sentinelone_source.feed.sweep import Sweep
from support.states import KEYS, POSITIONS, filled

NOW = 1_795_000_000_000_000
DONE = Progress(watermark=30, origin=5, signpost=30, swept_at=31, rescanned_at=7)
HOLD = """
import sys, time
from pathlib import Path
from sentinelone_source.feed.state.state import State
state = State(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A state with three rows of acme's threats, of which feed 1 is."""
    one = State(filled(tmp_path))
    yield one
    one.close()


def page_of(feed: int, keys: list[str], positions: list[int], prune_before: int = 0) -> SettledPage:
    return SettledPage(feed, RowKeys(keys, positions), DONE, prune_before)


def test_settled_rows_survive(tmp_path: Path) -> None:
    """Settled rows and the feed's progress are known after a restart."""
    state = State(filled(tmp_path))
    feed = state.feed("acme", "threats")
    assert state.known(feed, KEYS, POSITIONS) == set(KEYS)
    assert state.progress(feed) == Progress(30, 5, 30, 31, None)
    state.close()


def test_unsettled_rows_are_known_and_then_forgotten(tmp_path: Path) -> None:
    """Unsettled rows are known while their process runs, and not after a restart."""
    state = State(tmp_path)
    feed = state.feed("acme", "threats")
    state.record_unsettled(page_of(feed, KEYS, POSITIONS))
    assert state.known(feed, KEYS, POSITIONS) == set(KEYS)
    state.close()
    state = State(tmp_path)
    assert state.known(feed, KEYS, POSITIONS) == set()
    assert state.progress(feed) == Progress()
    state.close()


def test_a_page_settles_alone(tmp_path: Path) -> None:
    """Settling a page makes its own rows permanent, and no others."""
    state = State(tmp_path)
    feed = state.feed("acme", "threats")
    first = state.record_unsettled(page_of(feed, KEYS[:1], POSITIONS[:1]))
    state.record_unsettled(page_of(feed, KEYS[1:], POSITIONS[1:]))
    state.settle([first])
    state.close()
    state = State(tmp_path)
    assert state.known(feed, KEYS, POSITIONS) == set(KEYS[:1])
    assert state.progress(feed) == DONE
    state.close()


def test_feeds_do_not_know_each_others_rows(state: State) -> None:
    """Rows of one console are not known to another one's feed with the same ids."""
    other = state.feed("globex", "threats")
    assert state.known(other, KEYS, POSITIONS) == set()
    assert state.progress(other) == Progress()


@pytest.mark.parametrize("spread", [0, 1, -1], ids=["one position", "ordered", "reversed"])
def test_every_key_is_looked_up_by_itself(tmp_path: Path, spread: int) -> None:
    """A look-up finds exactly what was handed over, however many rows share a position."""
    state = State(tmp_path)
    feed = state.feed("acme", "threats")
    keys = [f"{n}@1" for n in range(200)]
    positions = [1000 + spread * n for n in range(200)]
    state.record_unsettled(page_of(feed, keys[::2], positions[::2]))
    assert state.known(feed, keys, positions) == set(keys[::2])
    few = slice(90, 95)
    assert state.known(feed, keys[few], positions[few]) == {"90@1", "92@1", "94@1"}
    state.close()


def test_a_remembered_row_takes_40_bytes_at_most(tmp_path: Path) -> None:
    """The state grows by 40 bytes at most for each row that it remembers."""
    state = State(tmp_path)
    feed = state.feed("acme", "threats")
    for page in range(20):
        keys = [f"17{page:03}{n:014}@2026-11-29T00:00:00.{n:06}Z" for n in range(1000)]
        positions = [NOW + (page * 1000 + n) * 997_001 for n in range(1000)]
        state.settle_at_once([SettledPage(feed, RowKeys(keys, positions), DONE, None)])
    state.close()
    assert (tmp_path / "state.sqlite").stat().st_size <= 40 * 20_000


def test_forgetting(state: State) -> None:
    """Settling forgets the keys before the given position, and keeps the others."""
    feed = state.feed("acme", "threats")
    state.settle([state.record_unsettled(page_of(feed, [], [], prune_before=20))])
    assert state.known(feed, KEYS, POSITIONS) == set(KEYS[1:])
    assert [one.keys for one in state.show()] == [2]


def test_rewind(state: State) -> None:
    """A rewound feed begins at the moment: later rows are forgotten, older ones not asked for."""
    feed = state.feed("acme", "threats")
    state.rewind(state.show(), 20)
    assert state.progress(feed) == Progress(watermark=20, origin=20)
    assert state.known(feed, KEYS, POSITIONS) == {"a@1"}
    state.rewind(state.show(), 3)
    assert state.progress(feed) == Progress(watermark=3, origin=3)


def test_rewind_moves_all_feeds_or_none(state: State) -> None:
    """A feed that was never swept is moved with the others; one that is behind stops them all."""
    never = state.feed("acme", "agents")
    behind = state.feed("acme", "groups")
    watermark = SettledPage(behind, RowKeys([], []), Progress(watermark=12), None)
    state.settle([state.record_unsettled(watermark)])
    before = state.show()
    with pytest.raises(StateError, match=r"^acme/groups: the watermark can only be moved back"):
        state.rewind(before, 20)
    assert state.show() == before
    state.rewind(before, 11)
    assert {one.progress for one in state.show()} == {Progress(watermark=11, origin=11)}
    assert Sweep(Plan(lookback=600, inventory=True), state.progress(never), 99).wanted_from == 11


def test_reset(state: State) -> None:
    """A feed that was reset has neither progress nor rows; another feed keeps its rows."""
    other = state.feed("globex", "threats")
    state.settle([state.record_unsettled(page_of(other, KEYS, POSITIONS))])
    state.reset(state.feed("acme", "threats"))
    assert [(one.console, one.keys) for one in state.show()] == [("globex", 3)]
    again = state.feed("acme", "threats")
    assert state.progress(again) == Progress()
    assert state.known(again, KEYS, POSITIONS) == set()


def test_second_instance(tmp_path: Path) -> None:
    """A second process is refused with the first one's id, and may read; a kill frees the state."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StateLocked, match=f"pid {holder.pid}$"):
            State(tmp_path)
        State(tmp_path, read_only=True).close()
        holder.kill()
    State(tmp_path).close()


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """Opening a state to read makes none where there is none, and takes no lock."""
    with pytest.raises(StateError, match="no state yet"):
        State(tmp_path / "none", read_only=True)
    assert not (tmp_path / "none").exists()
    looking = State(filled(tmp_path), read_only=True)
    working = State(tmp_path)
    assert [one.keys for one in looking.show()] == [3]
    working.close()
    looking.close()


def test_dead_letters_are_known_while_they_come(tmp_path: Path) -> None:
    """A dead letter is remembered while it comes, over a restart, and then forgotten."""
    state = State(tmp_path)
    feed = state.feed("acme", "threats")
    state.remember_dead(feed, ["id:1", "id:2"], 10, 0)
    state.remember_dead(feed, ["id:2"], 20, 11)
    state.close()
    state = State(tmp_path)
    assert state.dead(feed, ["id:1", "id:2"]) == {"id:2"}
    state.close()
