"""Carries out a reading of a feed: requests pages, hands over their rows, and settles them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

import structlog

from sentinelone_source.console.console import Console
from sentinelone_source.console.pagination import Paginator
from sentinelone_source.console.responses import Response
from sentinelone_source.errors import Declined, Unavailable
from sentinelone_source.feed.dead_records import DeadRecords
from sentinelone_source.feed.opening import open_page
from sentinelone_source.feed.page_run import Counts, PageRun
from sentinelone_source.feed.passes import EarlierPass
from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.reading import Reading
from sentinelone_source.feed.repeats import Repeats
from sentinelone_source.feed.settlement import FeedContext, MemorySlot
from sentinelone_source.feed.state.schema import RowKeys
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Page
from sentinelone_source.mapping.request import PageRequest, page_requests
from sentinelone_source.mapping.spec.model import ConsoleId
from sentinelone_source.times import SECOND
from sentinelone_source.worker_threads import in_thread

_log = structlog.get_logger()


class FeedReader:
    """Reads one mapping on one console.

    Args:
        console: the console to read from.
        mapper: makes the rows.
        context: what all feeds share.
        number: the feed's number in the state.
        remember: how long after it was last seen a record can be read again; microseconds.

    Attributes:
        heartbeat: as in the feed's plan, microseconds; 0 hands over every row.
        counts: the counts of all readings.
        handing_over: the hand-over of the current page; it continues if the reading is cancelled.
    """

    def __init__(
        self,
        console: Console,
        mapper: Mapper,
        context: FeedContext,
        number: int,
        remember: int = 0,
    ) -> None:
        self.heartbeat = 0
        self.counts = Counts()
        self.handing_over: asyncio.Task[None] | None = None
        self._console = console
        self._console_id = ConsoleId(console.name, console.url)
        self.mapper = mapper
        self._mapping = mapper.mapping
        self._endpoint = mapper.mapping.request.path
        self._context = context
        self._number = number
        self._dead = DeadRecords(console.name, mapper.mapping, context, number, remember)
        self._told: set[str] = set()
        self._clock_seen: tuple[int, float] | None = None

    @property
    def console_clock(self) -> int | None:
        """The console's clock now, by its last answer, in microseconds; None without a `Date`."""
        if self._clock_seen is None:
            return None
        clock, seen_at = self._clock_seen
        return clock + round((self._context.clock.monotonic() - seen_at) * SECOND)

    async def read(self, reading: Reading) -> None:
        """Read pages to the reading's end, hand their rows over, and settle them.

        Raises:
            CursorLost, FeedRefused, BadRequest, Refused: from the console; what was handed over
                before stands, and is not read again.
            Declined: from the shipper, which takes no row of this table, or not all; the reading
                has not ended.
            ReaderGone, StateError: nothing goes on.
        """
        postponed = self.counts.postponed
        passes = len(self._mapping.request.passes) or 1
        for number in range(passes - 1):
            await self._read_pass(number, cast("Reading", EarlierPass(reading)))
        await self._read_pass(passes - 1, reading)
        if reading.held is not None:
            raise Declined(
                f"{self._mapping.table}: the shipper refuses "
                f"{self.counts.postponed - postponed} rows; they are read and handed over again"
            )
        await self._settle(reading, RowKeys([], []), reading.ended())

    async def _read_pass(self, number: int, reading: Reading) -> None:
        def query() -> PageRequest:
            return page_requests(self._mapping, reading.start, reading.until)[number]

        async with self._console.pages(self._endpoint, query()) as pages:
            await self._read_pages(reading, pages, query)

    async def _read_pages(
        self, reading: Reading, pages: Paginator, query: Callable[[], PageRequest]
    ) -> None:
        """Read page after page. A page that has been begun is always handed over to its end.

        The next page is requested meanwhile, unless the current one may be the last.
        """
        async for response in pages:
            if not self._began_well(reading, response):
                pages.restart(query())
                continue
            try:
                page, slot = await self._open(reading, response, pages)
            except Unavailable as error:
                await pages.retry(error)
                continue
            if page.errors:
                self._warn_once("partial_answer", error="; ".join(page.errors))
            with slot:
                pages.follow(page.cursor, ahead=not reading.nearly_beyond)
                self.handing_over = asyncio.create_task(self._hand_over(reading, page, slot))
                await asyncio.shield(self.handing_over)
            if reading.beyond:
                return

    def _began_well(self, reading: Reading, response: Response) -> bool:
        """Pass the console's clock to the reading; False if it has to begin again, and earlier."""
        self._clock_seen = None
        if response.clock is None:
            self._warn_once("no_clock")
        else:
            self._clock_seen = response.clock, self._context.clock.monotonic()
        if reading.began(response.clock):
            return True
        _log.warning("clocks_disagree", console=self._console.name, feed=self._mapping.name)
        return False

    async def _open(
        self, reading: Reading, response: Response, pages: Paginator
    ) -> tuple[Page, MemorySlot]:
        """Wait for a memory slot and decode a page.

        Raises:
            Unavailable: the body cannot be decompressed, or is not a page of the API.
            FeedRefused, BadRequest, CursorLost: the body reports this error.
        """
        async with self._context.unpacking:
            body = await in_thread(response.decoded)
            if not reading.nearly_beyond:
                pages.expect(self.mapper.peek_cursor(body))
            slot = await self._context.memory_slot()
        try:
            keys_first = reading.mostly_known
            return open_page(self.mapper, body, self._console_id, keys_first=keys_first), slot
        except BaseException:
            slot.release()
            raise

    async def _hand_over(self, reading: Reading, page: Page, slot: MemorySlot) -> None:
        """Make the page's new rows, hand them over, write dead letters, and settle the page."""
        known = partial(self._context.state.known, self._number)
        run = PageRun(page, reading, known, self._repeats())
        sending = await self._context.sink.write(
            self._console.name, self._mapping.name, run.batches(self.mapper)
        )
        slot.release()
        refused, postponed = await sending
        run.postpone(postponed, [one.place for one in refused])
        buried = await self._dead.write(page.dead, refused, self._context.clock.now())
        self.counts.add(run.counts(buried, len(refused)))
        if min(run.walked, default=reading.asked_from) < reading.asked_from - SECOND:
            self._warn_once("filter_ignored")
        await self._settle(reading, run.rows(), reading.passed(run.walked))

    def _repeats(self) -> Repeats | None:
        """What finds repeated rows of the next page; None if the feed has no heartbeat."""
        if not self.heartbeat:
            return None
        return Repeats(self._context.state.last_rows(self._number), self.heartbeat)

    async def _settle(self, reading: Reading, rows: RowKeys, progress: Progress) -> None:
        await self._context.settlement.add(self._number, rows, progress, reading.prune_before())

    def _warn_once(self, trouble: str, **more: str) -> None:
        if trouble not in self._told:
            self._told.add(trouble)
            _log.warning(trouble, console=self._console.name, feed=self._mapping.name, **more)
