"""How pages become permanent: together, and before a feed goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.settlement import Settlement
from sentinelone_source.feed.state.schema import RowKeys, SettledPage
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.sink import Sink
from sentinelone_source.timings import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NO_ROWS = RowKeys([], [])


class Counting(State):
    """A state that counts its commits."""

    commits = 0

    def settle_at_once(self, pages: Iterable[SettledPage]) -> None:
        self.commits += 1
        super().settle_at_once(pages)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Counting]:
    """With fifty feeds, numbered from 1."""
    one = Counting(tmp_path)
    one.enter((f"console {n}", "threats") for n in range(50))
    yield one
    one.close()


def test_feeds_share_their_commits(state: Counting) -> None:
    """A page with rows is permanent before its feed goes on; many pages take few commits."""
    looking = State(state.folder, read_only=True)

    async def work() -> None:
        settlement = Settlement(state, Sink(DEFAULTS), 0.0)

        async def add(feed: int) -> None:
            rows = RowKeys([f"{feed}@1"], [7])
            await settlement.add(SettledPage(feed, rows, Progress(feed), None))
            assert looking.progress(feed).watermark == feed

        await asyncio.gather(*map(add, range(1, 51)))

    asyncio.run(work())
    assert all(state.known(feed, [f"{feed}@1"], [7]) for feed in range(1, 51))
    assert state.commits == 2
    looking.close()


def test_idle_sweeps_take_no_commit_each(state: Counting) -> None:
    """Progress without rows waits for the next commit, which saves the latest."""

    async def work() -> None:
        settlement = Settlement(state, Sink(DEFAULTS), 0.0)
        for at in range(3):
            for feed in range(1, 51):
                await settlement.add(SettledPage(feed, NO_ROWS, Progress(watermark=at), None))
        assert state.commits == 0
        rows = RowKeys(["a@1"], [9])
        await settlement.add(SettledPage(1, rows, Progress(watermark=9), None))
        await settlement.settle_all()

    asyncio.run(work())
    assert state.commits <= 2
    assert [state.progress(feed).watermark for feed in (1, 2, 50)] == [9, 2, 2]


@pytest.mark.parametrize("rows", [NO_ROWS, RowKeys(["b@1"], [9])], ids=["no rows", "rows"])
def test_keys_are_pruned_though_a_recheck_follows(state: Counting, rows: RowKeys) -> None:
    """A page that prunes no keys does not take the place of one that does."""

    async def work() -> None:
        settlement = Settlement(state, Sink(DEFAULTS), 0.0)
        await settlement.add(SettledPage(1, RowKeys(["a@1"], [3]), Progress(3), None))
        await settlement.add(SettledPage(1, NO_ROWS, Progress(5, forgotten=5), 5))
        await settlement.add(SettledPage(1, rows, Progress(5, forgotten=5), None))
        await settlement.settle_all()

    asyncio.run(work())
    assert state.known(1, ["a@1", "b@1"], [3, 9]) == set(rows.keys)
