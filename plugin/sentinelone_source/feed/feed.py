"""One mapping on one console: when it is read, and how far it is complete."""

from __future__ import annotations

import math

import structlog

from sentinelone_source.console.console import Console
from sentinelone_source.errors import Declined
from sentinelone_source.feed.counts import Counts
from sentinelone_source.feed.progress import LOWEST, OVERDUE, Plan, Progress
from sentinelone_source.feed.reader import FeedReader
from sentinelone_source.feed.reading import Reading
from sentinelone_source.feed.recheck import Recheck
from sentinelone_source.feed.settlement import FeedContext
from sentinelone_source.feed.sweep import Sweep
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.times import SECOND
from sentinelone_source.worker_threads import in_thread

_log = structlog.get_logger()


class Feed(FeedReader):
    """Sweeps one mapping on one console.

    Attributes:
        table: the table of its rows.
        counts: the counts of all sweeps and rechecks of this process, including one under way.
    """

    def __init__(self, console: Console, mapper: Mapper, plan: Plan, context: FeedContext) -> None:
        number = context.state.feed(console.name, mapper.mapping.name)
        super().__init__(console, mapper, context, number, plan)
        self.table = mapper.mapping.table
        self._plan = plan
        self._progress = context.state.progress(number)
        if plan.heartbeat:
            self._last_rows.load(self._oldest_last_row)
        else:
            self._last_rows.forget()
        self._pruned = self._clock.monotonic()
        self._reading: Reading | None = None
        self._made = self._clock.now()
        self._ended: float | None = None
        self._due = -math.inf
        self._began: dict[str, float] = {}

    async def sweep(self) -> None:
        """Read what is new, if that is due. Then recheck positions that have reached an age.

        Raises what `read` raises.
        """
        due, self._due = self._due, -math.inf  # after an error the next sweep is due
        left = due - self._clock.monotonic()
        if left > 0:
            await self.recheck(left)
            self._due = due
            return
        within = self._plan.overlap / SECOND
        try:
            await self._sweep()
        except Declined:
            await self.recheck(within)
            raise
        await self.recheck(within)
        self._due = self._clock.monotonic() + self.interval

    async def _sweep(self) -> None:
        """Read from the overlap to the console's present."""
        began = self._clock.monotonic()
        passed, rested = self._since("sweep", began), self._since("rescan", began)
        sweep = Sweep(self._plan, self._progress, self._clock.now(), passed, rested)
        before = self.counts.copy()
        await self._read(sweep)
        self._ended = self._clock.monotonic()
        self._began["sweep"] = began
        if sweep.rescan:
            self._began["rescan"] = began
        await self._prune_last_rows(began)
        signpost = sweep.now if sweep.signpost is None else sweep.signpost
        self._tell(sweep.kind, began, signpost, self.counts.since(before))

    async def recheck(self, within: float) -> None:
        """Read positions again that are due because they have reached an age.

        It stops within so many seconds, when the next sweep is due. Raises what `read` raises.
        """
        began = self._clock.monotonic()
        for age, due in self.progress.next_due().items():
            clock = self._present
            if clock is None or due > clock:
                continue
            before = self.counts.copy()
            recheck = Recheck(self._plan, self._progress, age, clock)
            await self._read(recheck, began + within)
            if (counts := self.counts.since(before)).rows or counts.unchanged:
                self._tell("recheck", began, clock, counts, age=age // SECOND)

    @property
    def rest(self) -> float:
        """Seconds until the next sweep or recheck is due."""
        return max(0.0, min(self._due - self._clock.monotonic(), self.until_recheck()))

    def until_recheck(self) -> float:
        """Seconds until the next recheck is due; infinite if there is none."""
        clock = self._present
        due = self.progress.next_due().values()
        return math.inf if clock is None or not due else max(0.0, (min(due) - clock) / SECOND)

    async def _read(self, reading: Reading, due: float = math.inf) -> None:
        self._reading = reading
        try:
            await self.read(reading, due)
        finally:
            self._progress, self._reading = reading.progress, None

    async def _prune_last_rows(self, now: float) -> None:
        """Forget last rows that are too old for a row to repeat them, but not after every sweep."""
        due = now - self._pruned >= self._plan.heartbeat / SECOND
        if self._plan.heartbeat and (due or self._last_rows.has_grown):
            self._pruned = now
            await in_thread(self._last_rows.prune, self._oldest_last_row)

    @property
    def _oldest_last_row(self) -> int:
        """The position from which a row can be repeated."""
        watermark = self._progress.watermark
        return LOWEST if watermark is None else watermark - self._plan.heartbeat

    @property
    def _present(self) -> int | None:
        """The console's clock now; if the console sends no `Date`, the last position seen."""
        clock = self.console_clock
        return self.progress.watermark if clock is None else clock

    def _since(self, what: str, now: float) -> int | None:
        """Microseconds since the last complete sweep or re-scan began; None before the first here.

        This is measured by the monotonic clock, because our clock can be set at any moment.
        """
        return round((now - self._began[what]) * SECOND) if what in self._began else None

    def _tell(self, kind: str, began: float, clock: int, counts: Counts, **more: object) -> None:
        _log.info(
            "swept",
            console=self.console.name,
            feed=self.name,
            kind=kind,
            seconds=round(self._clock.monotonic() - began, 3),
            lag=round(max(0, self._clock.now() - clock) / SECOND, 3),
            **more,
            **counts.summary(),
        )

    @property
    def progress(self) -> Progress:
        """How far the feed is complete."""
        return self._progress if self._reading is None else self._reading.progress

    @property
    def last_success(self) -> float | None:
        """When the last complete sweep began, in unix seconds of our clock; None if none has."""
        swept_at = self.progress.swept_at
        return None if swept_at is None else swept_at / SECOND

    @property
    def behind(self) -> float:
        """How many seconds ago the feed was complete; 0 until the next sweep is overdue."""
        if self._ended is not None:
            idle_until = self._ended + self.interval + min(self.interval, OVERDUE)
            if self._clock.monotonic() < idle_until:
                return 0.0
        return self._plan.seconds_behind(self.progress, self._made, self._clock.now())
