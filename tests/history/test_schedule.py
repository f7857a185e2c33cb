"""Windows that are divided while they are read: every record belongs to one of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sentinelone_source.feed.progress import Progress
from sentinelone_source.history.plan import PlannedWindow
from sentinelone_source.history.windows import BackfillWindow, Schedule, WindowPart
from sentinelone_source.times import SECOND

END = 500


class BackfillModel:
    """Some readers of one window, with pauses between any two steps."""

    def __init__(self, positions: list[int], page: int, seed: int) -> None:
        self.handed_over: Counter[int] = Counter()
        self.parts = [WindowPart(PlannedWindow("acme", "things", 0, END * SECOND), 0, 0)]
        self._positions, self._page, self._rng = sorted(positions), page, random.Random(seed)

    async def run(self, readers: int) -> None:
        self.schedule = Schedule(list(self.parts), self._divide)
        await asyncio.gather(*(self._read_all() for _ in range(readers)))

    def _divide(self, part: WindowPart, at: int) -> WindowPart:
        rest = PlannedWindow("acme", "things", at, part.window.end)
        part.window.end = at
        self.parts.append(WindowPart(rest, len(self.parts), at))
        return self.parts[-1]

    async def _read_all(self) -> None:
        while (part := await self.schedule.next()) is not None:
            await self._read(part)
            self.schedule.done(part)

    async def _read(self, part: WindowPart) -> None:
        window = BackfillWindow(part, Progress(), self.schedule.passed, 0, self._page)
        asked_for = [at for at in self._positions if window.asked_from <= at < window.until]
        for begin in range(0, len(asked_for) + 1, self._page):
            await self._pause()
            window.accept_clock(None)
            await self._pause()
            page = asked_for[begin : begin + self._page]
            self.handed_over.update(at for at in page if window.wanted_from <= at < window.until)
            await self._pause()
            window.add_page(page)
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
    backfill = BackfillModel(positions, page, seed)
    asyncio.run(backfill.run(readers))
    assert backfill.handed_over == Counter(positions)
    assert not any(part.left for part in backfill.parts)


def test_idle_readers_get_a_share() -> None:
    """A window with many pages is divided among the readers."""
    backfill = BackfillModel([second * SECOND for second in range(END)], 5, 1)
    asyncio.run(backfill.run(4))
    assert len(backfill.parts) >= 4
