"""Reads the pages of a feed, hands over their rows, and settles them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

import structlog

from sentinelone_source.console.console import Console
from sentinelone_source.console.pagination import Paginator
from sentinelone_source.console.responses import Response, answer_error
from sentinelone_source.errors import Declined, Unavailable
from sentinelone_source.feed.page_run import Counts, PageRun
from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.reading import Reading
from sentinelone_source.feed.repeats import Repeats
from sentinelone_source.feed.settlement import DeadRecords, FeedContext, PageMemory
from sentinelone_source.feed.state.schema import RowKeys, SettledPage
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Page
from sentinelone_source.mapping.page_reader import AnswerHasErrors, NotAPage
from sentinelone_source.mapping.request import PageRequest, page_requests
from sentinelone_source.mapping.spec.model import ConsoleId
from sentinelone_source.times import SECOND, SYSTEM_CLOCK, Clock
from sentinelone_source.worker_threads import in_thread

_SMALL = 1 << 17
"""A compressed page of fewer bytes is decompressed at once: a thread would take more CPU."""

_log = structlog.get_logger()


def open_page(mapper: Mapper, body: bytes, console: ConsoleId, *, keys_first: bool = False) -> Page:
    """Decode the decompressed body of an answer with HTTP status 200.

    Args:
        keys_first: read only keys and positions first, because most records are known.

    Raises:
        Unavailable: the body is not a page of the API, or reports a temporary error.
        FeedRefused, BadRequest, CursorLost: the body reports this error.
    """
    endpoint = mapper.mapping.request.path
    try:
        return mapper.open(body, console, keys_first=keys_first)
    except AnswerHasErrors as error:
        raise answer_error(endpoint, error.messages) from None
    except NotAPage as error:
        raise Unavailable(f"{endpoint}: not a page of the API: {error}") from None


class PageSource:
    """Reads decoded pages of one mapping on one console, one at a time."""

    def __init__(
        self, console: Console, mapper: Mapper, memory: PageMemory, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.console, self.mapper = console, mapper
        self.name, self.endpoint = mapper.mapping.name, mapper.mapping.request.path
        self._console_id = ConsoleId(console.name, console.url)
        self.memory, self._clock = memory, clock
        self._warned: set[str] = set()
        self._clock_seen: tuple[int, float] | None = None

    @property
    def console_clock(self) -> int | None:
        """The console's clock now, by its last answer, in microseconds; None without a `Date`."""
        if self._clock_seen is None:
            return None
        clock, seen_at = self._clock_seen
        return clock + round((self._clock.monotonic() - seen_at) * SECOND)

    async def pages(self, reading: Reading) -> AsyncGenerator[Page, None]:
        """Read page after page to the reading's end, in all passes.

        Each page comes with `memory.decoding` held: release it when the rows have been made. The
        next page is requested meanwhile, unless the current one may be the last.

        Raises:
            CursorLost: the console lost its place; read again from the start.
            FeedRefused, BadRequest, Refused: the console refuses the request.
            Retriable: the console fails for longer than its patience.
        """
        passes = len(self.mapper.mapping.request.passes) or 1
        for number in range(passes):
            reading.begin_pass(is_last=number == passes - 1)
            query = self._query(reading, number)
            async with self.console.pages(self.endpoint, query) as pages:
                async for response in pages:
                    if not self._accept_clock(reading, response):
                        pages.restart(self._query(reading, number))
                        continue
                    try:
                        page = await self._open(reading, response, pages)
                    except Unavailable as error:
                        await pages.retry(error)
                        continue
                    pages.follow(page.cursor, ahead=not reading.nearly_beyond)
                    yield page
                    if reading.beyond:
                        break

    def _query(self, reading: Reading, number: int) -> PageRequest:
        return page_requests(self.mapper.mapping, reading.start, reading.until)[number]

    def _accept_clock(self, reading: Reading, response: Response) -> bool:
        """Pass the console's clock to the reading; False if it has to begin again, and earlier."""
        clock = response.clock
        self._clock_seen = None if clock is None else (clock, self._clock.monotonic())
        if reading.accept_clock(clock):
            return True
        _log.warning("clocks_disagree", console=self.console.name, feed=self.name)
        return False

    async def _open(self, reading: Reading, response: Response, pages: Paginator) -> Page:
        """Wait until no other page is decoded, and decode this one."""
        async with self.memory.unpacking:
            small = len(response.content) < _SMALL
            body = response.decoded() if small else await in_thread(response.decoded)
            if not reading.nearly_beyond:
                pages.expect(self.mapper.peek_cursor(body))
            await self.memory.decoding.acquire()
        try:
            keys_first = reading.mostly_known
            page = open_page(self.mapper, body, self._console_id, keys_first=keys_first)
        except BaseException:
            self.memory.decoding.release()
            raise
        if page.errors:
            self._warn_once("partial_answer", error="; ".join(page.errors))
        return page

    def _warn_once(self, trouble: str, **more: str) -> None:
        """Log a trouble of this feed the first time that it is met."""
        if trouble not in self._warned:
            self._warned.add(trouble)
            _log.warning(trouble, console=self.console.name, feed=self.name, **more)


class FeedReader(PageSource):
    """Reads one mapping on one console, hands its rows over, and settles its pages.

    Args:
        number: the feed's number in the state.

    Attributes:
        counts: the counts of all readings.
        handing_over: the hand-over of the current page; it continues if the reading is cancelled.
    """

    def __init__(
        self, console: Console, mapper: Mapper, context: FeedContext, number: int, plan: Plan
    ) -> None:
        super().__init__(console, mapper, context.memory, context.clock)
        self.counts = Counts()
        self.handing_over: asyncio.Task[None] | None = None
        self._context = context
        self._number = number
        self._heartbeat = plan.heartbeat
        self._dead = DeadRecords(console.name, mapper.mapping, context, number, plan.reach)

    async def sweep(self) -> None:
        """Read all that is to be read now. Raises what `read` raises."""
        raise NotImplementedError

    async def read(self, reading: Reading) -> None:
        """Read pages to the reading's end, hand their rows over, and settle them.

        A page that has been begun is always handed over to its end.

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
        if reading.held is not None:
            raise Declined(
                f"{self.mapper.mapping.table}: the shipper refuses "
                f"{self.counts.postponed - postponed} rows; they are read and handed over again"
            )
        await self._settle(reading, RowKeys([], []), reading.complete())

    async def _hand_over(self, reading: Reading, page: Page) -> None:
        """Make the page's new rows, hand them over, write dead letters, and settle the page."""
        state = self._context.state
        try:
            repeats = Repeats(state.last_rows(self._number), self._heartbeat)
            run = PageRun(page, reading, partial(state.known, self._number), repeats)
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
