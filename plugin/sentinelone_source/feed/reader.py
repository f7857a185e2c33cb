"""Reads the pages of a feed, hands over their rows, and settles them."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing

from sentinelone_source.console.console import Console
from sentinelone_source.errors import Declined
from sentinelone_source.feed.counts import Counts
from sentinelone_source.feed.progress import ENDLESS, Plan, Progress
from sentinelone_source.feed.reading import PageSource, Reading
from sentinelone_source.feed.repeats import Repeats
from sentinelone_source.feed.settlement import DeadRecords, FeedContext
from sentinelone_source.feed.state.schema import RowKeys, SettledPage
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.batches import pack
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Page
from sentinelone_source.mapping.rows.lines import Piece, line_sizes
from sentinelone_source.times import SECOND


class FeedReader(PageSource):
    """Reads one mapping on one console, hands its rows over, and settles its pages.

    Attributes:
        interval: seconds from the end of a sweep to the next.
        counts: the counts of all readings.
        handing_over: the hand-over of the current page; it continues if the reading is cancelled.
    """

    def __init__(
        self, console: Console, mapper: Mapper, context: FeedContext, number: int, plan: Plan
    ) -> None:
        super().__init__(console, mapper, context.memory, context.clock)
        self.counts = Counts()
        self.interval = plan.interval / SECOND
        self.handing_over: asyncio.Task[None] | None = None
        self._context = context
        self._number = number
        self._heartbeat = plan.heartbeat
        self._last_rows = context.state.last_rows(number)
        self._dead = DeadRecords(console.name, mapper.mapping, context, number, plan.reach)

    async def sweep(self) -> None:
        """Read all that is to be read now. Raises what `read` raises."""
        raise NotImplementedError

    async def read(self, reading: Reading, due: float = math.inf) -> None:
        """Read pages to the reading's end, hand their rows over, and settle them.

        A page that has been begun is always handed over to its end. The next sweep is `due` at that
        time of the monotonic clock.

        Raises:
            CursorLost, FeedRefused, BadRequest, Refused: from the console; what was handed over
                before stands, and is not read again.
            Declined: from the shipper, which takes no row of this table, or not all; the reading
                has not ended.
            ReaderGone, StateError: nothing goes on.
        """
        postponed = self.counts.postponed
        async with aclosing(self.pages(reading)) as pages:
            async for page in pages:
                if self._clock_seen is None:
                    self._warn_once("no_clock")
                self.handing_over = asyncio.create_task(self._hand_over(reading, page))
                await asyncio.shield(self.handing_over)
                if self._clock.monotonic() >= due:
                    reading.overtake()
        if reading.held is not None:
            raise Declined(
                f"{self.mapper.mapping.table}: the shipper refuses "
                f"{self.counts.postponed - postponed} rows; they are read and handed over again"
            )
        await self._settle(reading, RowKeys([], []), reading.complete())

    async def _hand_over(self, reading: Reading, page: Page) -> None:
        """Make the page's new rows, hand them over, write dead letters, and settle the page."""
        try:
            repeats = Repeats(self._last_rows, self._heartbeat)
            run = PageRun(page, reading, self._context.state, self._number, repeats)
            sending = await self._context.sink.write(
                self.console.name, self.name, run.batches(self.mapper)
            )
        finally:
            self.memory.decoding.release()
        refused, postponed = await sending
        run.postpone(postponed, [one.place for one in refused])
        new_dead = await self._dead.write(page.dead, refused)
        self.counts.add(run.counts(new_dead, len(refused)))
        if min(run.walked, default=reading.asked_from) < reading.asked_from - SECOND:
            self._warn_once("filter_ignored")
        await self._settle(reading, run.rows(), reading.add_page(run.walked))

    async def _settle(self, reading: Reading, rows: RowKeys, progress: Progress) -> None:
        page = SettledPage(self._number, rows, progress, reading.prune_before())
        await self._context.settlement.add(page)
        self._last_rows.add(rows.last_rows)


class PageRun:
    """A page that is being handed over; `walked` are the positions of its records."""

    def __init__(
        self, page: Page, reading: Reading, state: State, number: int, repeats: Repeats
    ) -> None:
        self.walked: list[int] = []
        self._page = page
        self._reading = reading
        self._state, self._number = state, number
        self._repeats = repeats
        self._baseline: dict[str, int] = {}
        self._unasked: set[str] = set()
        self._sizes: list[int] = []
        self._delivered: list[int] = []
        self._delivered_sizes: dict[int, int] = {}
        self._postponed: set[int] = set()
        self._orphans: set[int] = set()
        self._counts = Counts(fetched=len(page.records), pages=1)

    def batches(self, mapper: Mapper) -> Iterator[list[bytes]]:
        """Make the lines of new rows, in batches; free the page's records after the last one."""
        for batch in pack(self._pieces(mapper)):
            self._repeats.begin_hand_over()
            self._counts.rows += batch.rows
            self._counts.bytes += batch.size
            if self._repeats.heartbeat:
                self._sizes += [size for piece in batch.pieces for size in line_sizes(piece)]
            yield batch.pieces
        self._page.body, self._page.records, self._page.raws = b"", [], None

    def _pieces(self, mapper: Mapper) -> Iterator[Piece]:
        """Make the lines of new rows; where most are known, keys have been read first."""
        page, known = self._page, None
        if page.keys_only:
            keys = mapper.keys(page)
            known = self._known(keys.keys, keys.positions)
            keys.leave_out(known)
            mapper.decode_rest(page, keys.places)
        for stride in mapper.strides(page):
            found = self._known(stride.keys, stride.positions) if known is None else known
            stride.leave_out(found)
            is_compared = self._repeats.heartbeat > 0
            changed = self._repeats.changed(stride.contents()) if is_compared else None
            yield from stride.lines(changed)

    def _known(self, keys: list[str], positions: list[int]) -> set[str]:
        """The keys of rows that were handed over before, or are not to be handed over."""
        if not keys:
            return set()
        self.walked += positions
        found = self._state.known(self._number, keys, positions)
        reading = self._reading
        first, end = reading.wanted_from, reading.until or ENDLESS
        if first <= min(positions) and max(positions) < end:
            return found
        outside = {
            key: at
            for key, at in zip(keys, positions, strict=True)
            if key not in found and not first <= at < end
        }
        baseline = {key: at for key, at in outside.items() if reading.asked_from <= at < end}
        self._baseline |= baseline
        self._unasked |= outside.keys() - baseline.keys()
        return found | outside.keys()

    def postpone(self, postponed: list[int], refused: list[int]) -> None:
        """Take out rows that were not delivered, so that they are not remembered as handed over.

        Lines at postponed places, which the shipper refuses for now, are read again. So are rows of
        this page that repeat one of them, or one that is refused and became a dead letter.
        """
        page = self._page
        without_line = set(page.without_line)
        places = [n for n in range(len(page.keys)) if n not in without_line]
        self._postponed = {places[line] for line in postponed}
        failed = self._postponed.union(places[line] for line in refused)
        self._delivered = [page.positions[n] for n in places if n not in failed]
        sizes = zip(places, self._sizes, strict=False)  # they are known with a heartbeat only
        self._delivered_sizes = {place: size for place, size in sizes if place not in failed}
        self._orphans = self._repeats.orphans(failed)
        if back := self._postponed | self._orphans:
            self._reading.hold(min(page.positions[n] for n in back))
            page.keys = [key for n, key in enumerate(page.keys) if n not in back]
            page.positions = [at for n, at in enumerate(page.positions) if n not in back]

    def counts(self, new_dead: int, refused: int) -> Counts:
        """What became of the page's records, with so many new dead letters, and refused rows."""
        page = self._page
        held_back = len(self._baseline) + len(self._unasked)
        unchanged, saved = self._repeats.total(self._orphans, self._delivered_sizes)
        self._counts.add(
            Counts(
                rows=-refused - len(self._postponed),
                unchanged=unchanged,
                unchanged_bytes=saved,
                suppressed=page.suppressed - held_back + len(page.dead) - new_dead,
                dead=new_dead + refused,
                dropped=page.dropped,
                baseline=len(self._baseline),
                unasked=len(self._unasked),
                postponed=len(self._postponed | self._orphans),
                late=Counter(filter(None, map(self._reading.late, self._delivered))),
                misfits=page.misfits,
                cut=page.cut,
            )
        )
        return self._counts

    def rows(self) -> RowKeys:
        """What is to be remembered: rows, and the baseline."""
        return RowKeys(
            [*self._page.keys, *self._baseline],
            [*self._page.positions, *self._baseline.values()],
            self._repeats.to_remember(self._delivered_sizes),
        )
