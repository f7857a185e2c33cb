"""A heartbeat, in the real program: what is not handed over says nothing new, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mapping.helpers import CONSOLE, mapper, page_of, record
from sentinelone_source.demo.golden import text
from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.reader import PageRun
from sentinelone_source.feed.repeats import Repeats
from sentinelone_source.feed.state.last_rows import UNKNOWN, LastRows, pack
from sentinelone_source.feed.state.schema import (
    RowKeys,
    SettledPage,
    UnsettledPage,
    key_hash,
    key_hashes,
)
from sentinelone_source.feed.state.state import State
from sentinelone_source.feed.sweep import Sweep
from sentinelone_source.mapping.heartbeat import is_repeat
from sentinelone_source.times import SECOND, parse_moment
from support.tenancy import lines

if TYPE_CHECKING:
    from pathlib import Path

    from support.processes import Running
    from support.tenancy import Tenancy

HEARTBEAT = '[feeds.agents]\nheartbeat = "24h"\n'
AGENTS = 6


@pytest.fixture
def agents(tenancy: Tenancy) -> list[str]:
    """The ids of agents whose rows were handed over with a heartbeat."""
    tenancy.world.populate(over=timedelta(minutes=30), agents=AGENTS)
    tenancy.configure(HEARTBEAT)
    assert len(sweep(tenancy).lines) == AGENTS
    return tenancy.world.ids("agents")


def sweep(tenancy: Tenancy) -> Running:
    return tenancy.once("--table", "agents")


def report(tenancy: Tenancy, *ids: str, **news: object) -> list[bytes]:
    """Agents report again, and what else is new of them; gives their lines."""
    for one in ids:
        now = text(tenancy.world.now())
        news |= {"updatedAt": now, "lastActiveDate": now}
        tenancy.world.replace("agents", tenancy.world.get("agents", one) | news)
    return lines("agents", [tenancy.world.get("agents", one) for one in ids])


def test_what_repeats_the_last_row_is_counted_instead(tenancy: Tenancy, agents: list[str]) -> None:
    """Reports without news are counted, rows and bytes; a change is handed over, in a restart too.

    What was counted once is known: it is not counted again.
    """
    repeated = report(tenancy, *agents)
    swept = sweep(tenancy)
    assert swept.lines == []
    [told] = swept.events("swept")
    assert (told["unchanged"], told["rows"]) == (AGENTS, 0)
    assert told["unchanged_bytes"] == sum(len(line) + 1 for line in repeated)
    assert "unchanged" not in sweep(tenancy).events("swept")[0]
    report(tenancy, *agents)
    changed = report(tenancy, agents[2], computerName="renamed")
    assert sweep(tenancy).lines == changed
    assert sweep(tenancy).lines == []


def test_an_old_row_is_repeated(tenancy: Tenancy, agents: list[str]) -> None:
    """A row is repeated once it is older than the heartbeat, by the console's clock."""
    tenancy.world.jump(timedelta(hours=23))
    report(tenancy, *agents)
    assert sweep(tenancy).lines == []
    tenancy.world.jump(timedelta(hours=2))
    again = report(tenancy, *agents)
    assert sorted(sweep(tenancy).lines) == sorted(again)
    report(tenancy, *agents)
    assert sweep(tenancy).lines == []


@pytest.mark.parametrize(
    ("position", "repeats"), [(99, False), (100, True), (109, True), (110, False)]
)
def test_which_row_is_a_repeat(position: int, repeats: bool) -> None:
    """A row repeats the last one if it is no older, and newer by less than a heartbeat."""
    assert is_repeat(position, b"digest", (100, 1, b"digest"), 10) is repeats


def test_a_crash_loses_no_change_back(tenancy: Tenancy, agents: list[str]) -> None:
    """A change that a crash left unsettled may have arrived: so the change back is handed over."""
    one, *others = agents
    name = tenancy.world.get("agents", one)["computerName"]
    tenancy.configure(HEARTBEAT, settle="1h")
    report(tenancy, one, computerName="renamed")
    with tenancy.start("--table", "agents") as running:
        running.wait_for("swept")
        running.process.kill()
        running.wait()
    assert len(running.lines) == 1
    tenancy.configure(HEARTBEAT)
    report(tenancy, *others)
    back = report(tenancy, one, computerName=name)
    assert sweep(tenancy).lines == back


@pytest.mark.parametrize("how", ["rewind", "switched off meanwhile"])
def test_rows_that_are_forgotten_are_repeated_by_nothing(
    tenancy: Tenancy, agents: list[str], how: str
) -> None:
    """After a rewind, or with rows that were not compared, the next row of an id is handed over."""
    one, before = agents[0], tenancy.world.get("agents", agents[0])["computerName"]
    if how == "rewind":
        state = State(tenancy.state)
        state.rewind(state.show(), 0)
        state.close()
    else:
        tenancy.configure()
        report(tenancy, one, computerName="renamed")
        assert len(sweep(tenancy).lines) == 1
        tenancy.configure(HEARTBEAT)
    row = report(tenancy, one, computerName=before)[0]
    assert row in sweep(tenancy).lines


@pytest.mark.parametrize(
    "values",
    [
        {"value": "plain", "more": 7},
        {"value": '50 % é 😀 \\ " %b \u0000', "more": "text"},
        {"value": None, "more": None},
        {"value": "x" * 70_000, "more": {"a": [1.50, None]}},
        {"value": "€" * 30_000, "more": "text"},
        {"value": {"UpdatedAt": "nested"}, "more": "y" * 70_000},
    ],
)
def test_a_line_does_not_depend_on_a_heartbeat(values: dict[str, object]) -> None:
    """Lines are the same with and without a heartbeat, whatever is in volatile columns."""
    columns = {
        "First": "$.value",
        "Volatile": "$.value",
        "More": {"path": "$.more", "type": "dynamic"},
        "Last": "$.more",
    }
    walk = {"id": "$.id", "position": "$.at", "filter": "a", "sort_by": "a"}
    maps = mapper(columns, walk={**walk, "volatile": ["Volatile", "More"]})
    usual = {"value": "usual", "more": "usual"}
    records = [record(id=f"{n}", **(values if n == 1 else usual)) for n in range(3)]
    body = page_of(*records)
    expected = [piece.data for piece in maps.lines(maps.open(body, CONSOLE))]
    [stride] = maps.strides(maps.open(body, CONSOLE))
    contents = stride.contents()
    assert b"".join(piece.data for piece in stride.lines()) == b"".join(expected)
    assert contents.digests[0] == contents.digests[2] != contents.digests[1]


def test_an_agent_takes_at_most_64_bytes_in_the_state(tmp_path: Path) -> None:
    """The file has the last row of each id, however often it changes; what is old is pruned."""
    state = State(tmp_path)
    feed = state.feed("acme", "agents")
    before = pages(state)
    ids = key_hashes([f"{n * 7919}" for n in range(20_000)])
    last_rows = state.last_rows(feed)
    for start in [*range(0, 20_000, 1000), *range(0, 20_000, 1000), *range(0, 5000, 10)]:
        rows = pack((ids[n], n * SECOND, 3000, bytes(12)) for n in range(start, start + 1000))
        state.settle_at_once([SettledPage(feed, RowKeys([], [], rows), Progress(), None)])
        last_rows.add(rows)
        if last_rows.has_grown:
            last_rows.prune(0)
        assert (pages(state) - before) / 20_000 <= 64
    last_rows.prune(19_990 * SECOND)
    for found in (last_rows, loaded(state, feed)):
        assert [one for one in ids if found.get(one)] == [*ids[-10:]]
    state.close()


def loaded(state: State, feed: int) -> LastRows:
    """What the file has of a feed."""
    last_rows = state.last_rows(feed)
    last_rows.load()
    return last_rows


def test_what_is_doubted_stays_so_when_an_earlier_page_settles(tmp_path: Path) -> None:
    """A row that was handed over after another of its id, at the same position, may have arrived.

    Only what its own page remembers says more; and a rewritten log says the same.
    """
    state, one = State(tmp_path), key_hash("a")
    feed = state.feed("acme", "agents")
    last_rows = state.last_rows(feed)

    def handed_over(digest: bytes) -> UnsettledPage:
        rows = RowKeys([], [], pack([(one, 7, 1, digest * 12)]))
        last_rows.add(rows.last_rows)
        return state.record_unsettled(SettledPage(feed, rows, Progress(), None))

    first = handed_over(b"x")
    last_rows.doubt([one])
    second = handed_over(b"y")
    for page, said in ((first, UNKNOWN), (second, b"y" * 12)):
        state.settle([page])
        for _ in range(2):
            last = loaded(state, feed).get(one)
            assert last is not None
            assert last[2] == said
            last_rows.prune(0)
    state.close()


def pages(state: State) -> int:
    """Bytes of the state's file, once everything is in it."""
    db = state._db
    pages, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
    )
    return int(pages * size)


@pytest.mark.parametrize("postponed", [True, False])
def test_what_repeats_a_refused_row_of_its_page_is_read_again(
    tmp_path: Path, postponed: bool
) -> None:
    """A row that was not delivered stands for no other, in its page and afterwards.

    Only what was delivered is a late row.
    """
    walk = {"id": "$.id", "version": "$.at", "position": "$.at", "filter": "a", "sort_by": "a"}
    maps = mapper({"Name": "$.name"}, walk={**walk, "volatile": ["TimeGenerated"]})
    at = [f"2026-03-14T12:00:0{n}Z" for n in range(4)]
    body = page_of(*(record(id=one, at=at[n], name="x") for n, one in enumerate("aabb")))
    now = parse_moment("2026-03-14T12:00:05")
    reading = Sweep(Plan(lookback=0), Progress(watermark=now, signpost=now, swept_at=now), now)
    state = State(tmp_path)
    number = state.feed("acme", "things")
    last_rows = state.last_rows(number)
    repeats = Repeats(last_rows, SECOND * 9)
    run = PageRun(maps.open(body, CONSOLE), reading, state, number, repeats)
    made = b"".join(piece for batch in run.batches(maps) for piece in batch)
    assert made.count(b"\n") == 2
    run.postpone([0] * postponed, [0] * (not postponed))
    counts = run.counts(0, int(not postponed))
    assert (counts.rows, counts.unchanged, counts.postponed) == (1, 1, 1 + postponed)
    assert counts.late == {"10": 1}
    remembered = run.rows()
    assert [key[0] for key in remembered.keys] == ["a", "b", "b"][postponed:]
    last_rows.add(remembered.last_rows)
    a, b = (last_rows.get(key_hash(one)) for one in "ab")
    assert (a and a[2]) == UNKNOWN != (b and b[2])
    assert b is not None
    assert b[1] == made.index(b"\n") + 1
    assert reading.held is not None
    state.close()
