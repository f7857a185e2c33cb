"""One mapping on one console: when it is read, and how far it has come."""

from __future__ import annotations

import asyncio

import structlog

from sentinelone_source.console.console import Console
from sentinelone_source.feed.page_run import Counts
from sentinelone_source.feed.reader import FeedReader
from sentinelone_source.feed.reading import Reading
from sentinelone_source.feed.settlement import FeedContext
from sentinelone_source.feed.state.progress import Progress
from sentinelone_source.feed.sweep import OVERDUE, Plan, Sweep, seconds_behind
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.times import SECOND

_log = structlog.get_logger()


class Feed:
    """Sweeps one mapping on one console.

    Attributes:
        name: of the mapping.
        table: whose rows it makes.
        endpoint: what it asks for, below `/web/api/v2.1/`.
        reader: reads its pages.
    """

    def __init__(
        self,
        console: Console,
        mapper: Mapper,
        plan: Plan,
        context: FeedContext,
    ) -> None:
        self.console = console
        self.name = mapper.mapping.name
        self.table = mapper.mapping.table
        self.endpoint = mapper.mapping.request.path
        self._plan = plan
        number = context.state.feed(console.name, self.name)
        self.reader = FeedReader(console, mapper, context, number, plan.reach)
        self._progress = context.state.progress(number)
        self._reading: Reading | None = None
        self._clock = context.clock
        self._made = self._clock.now()
        self._ended: float | None = None
        self._began: dict[str, float] = {}

    @property
    def counts(self) -> Counts:
        """Of all sweeps of this process, the one under way too."""
        return self.reader.counts

    @property
    def handing_over(self) -> asyncio.Task[None] | None:
        """The page at work; it goes on when the sweep is cancelled."""
        return self.reader.handing_over

    async def sweep(self) -> Counts:
        """Walk from the look-back to the console's present.

        Returns:
            What became of the records of this sweep.

        Raises:
            CursorLost, FeedRefused, BadRequest, Refused: from the console; what was handed over
                before stands, and the next sweep goes on from there.
            Declined: from the shipper, which takes no row of this table.
            ReaderGone, StateError: nothing goes on.
        """
        began = self._clock.monotonic()
        passed, rested = self._since("sweep", began), self._since("rescan", began)
        sweep = Sweep(self._plan, self._progress, self._clock.now(), passed, rested)
        before = self.counts.copy()
        await self._read(sweep)
        counts = self.counts.since(before)
        self._ended = self._clock.monotonic()
        self._began["sweep"] = began
        if sweep.rescan:
            self._began["rescan"] = began
        self._tell(sweep, self._clock.monotonic() - began, counts)
        return counts

    async def _read(self, reading: Reading) -> None:
        self._reading = reading
        try:
            await self.reader.read(reading)
        finally:
            self._progress, self._reading = reading.progress, None

    @property
    def progress(self) -> Progress:
        """How far the feed is complete."""
        return self._progress if self._reading is None else self._reading.progress

    def _tell(self, sweep: Sweep, seconds: float, counts: Counts) -> None:
        signpost = sweep.now if sweep.signpost is None else sweep.signpost
        _log.info(
            "swept",
            console=self.console.name,
            feed=self.name,
            kind="first" if sweep.first else "rescan" if sweep.rescan else "regular",
            seconds=round(seconds, 3),
            lag=round(max(0, self._clock.now() - signpost) / SECOND, 3),
            **counts.summary(),
        )

    def behind(self, interval: float) -> float:
        """How many seconds ago the feed was complete; 0 when idle.

        Args:
            interval: seconds from the end of a sweep to the next; idle lasts until that is overdue.
        """
        if self._ended is not None:
            idle_until = self._ended + interval + min(interval, OVERDUE)
            if self._clock.monotonic() < idle_until:
                return 0.0
        return seconds_behind(self._plan, self.progress, self._made, self._clock.now())

    @property
    def last_success(self) -> float | None:
        """When the last sweep began that came to its end, unix seconds of our clock."""
        swept_at = self.progress.swept_at
        return None if swept_at is None else swept_at / SECOND

    def _since(self, what: str, now: float) -> int | None:
        """Microseconds since the last complete one began, if this process has seen it.

        Our clock may be set at any moment; what has passed is told by the monotonic one.
        """
        return round((now - self._began[what]) * SECOND) if what in self._began else None
