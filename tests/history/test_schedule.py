"""Windows that are divided while they are read: every record belongs to one of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from sentinelone_source.history.plan import Arguments, BackfillPlan, PlanFile, PlannedWindow
from sentinelone_source.history.windows import BackfillWindow, Schedule
from sentinelone_source.times import SECOND

END = 500


class BackfillModel:
    """Some readers of one window, with pauses between any two steps."""

    def __init__(self, folder: str, positions: list[int], page: int, seed: int) -> None:
        self.handed_over: Counter[int] = Counter()
        plan = BackfillPlan(
            Arguments("", None, []), [], [PlannedWindow("acme", "things", 0, END * SECOND)]
        )
        windows = [BackfillWindow(plan.windows[0], 0, None)]
        self.schedule = Schedule(plan, PlanFile(Path(folder)), windows)
        self._positions, self._page, self._rng = sorted(positions), page, random.Random(seed)

    async def run(self, readers: int) -> None:
        await asyncio.gather(*(self._read_all() for _ in range(readers)))

    async def _read_all(self) -> None:
        while (window := await self.schedule.next()) is not None:
            await self._read(window)
            self.schedule.done(window)

    async def _read(self, window: BackfillWindow) -> None:
        window.full = self._page
        asked_for = [at for at in self._positions if window.asked_from <= at < window.until]
        for begin in range(0, len(asked_for) + 1, self._page):
            await self._pause()
            window.accept_clock(None)
            await self._pause()
            page = asked_for[begin : begin + self._page]
            self.handed_over.update(at for at in page if window.wanted_from <= at < window.until)
            await self._pause()
            window.add_page(page)
            self.schedule.passed(window)
            if window.beyond:
                break
        window.complete()

    async def _pause(self) -> None:
        for _ in range(self._rng.randrange(4)):
            await asyncio.sleep(0)


@given(
    st.lists(st.integers(0, END - 1).map(lambda second: second * SECOND), max_size=60),
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(),
)
def test_each_record_once(positions: list[int], page: int, readers: int, seed: int) -> None:
    """However readers and divisions interleave, each record is handed over by one window."""
    with TemporaryDirectory() as folder:
        backfill = BackfillModel(folder, positions, page, seed)
        asyncio.run(backfill.run(readers))
    assert backfill.handed_over == Counter(positions)
    assert not any(window.left for window in backfill.schedule.windows)


def test_idle_readers_get_a_share(tmp_path: Path) -> None:
    """A window with many pages is divided among the readers, and each part is in the plan."""
    backfill = BackfillModel(str(tmp_path), [second * SECOND for second in range(END)], 5, 1)
    asyncio.run(backfill.run(4))
    plan = PlanFile(tmp_path).read()
    assert plan is not None
    assert plan.windows == [window.planned for window in backfill.schedule.windows]
    assert len(plan.windows) >= 4
