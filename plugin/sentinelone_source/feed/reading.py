"""What a feed reads: which positions are asked for, where that ends, and the pages that come.

A reading uses no network and no disk: `PageSource` asks for it, and tells it each page. All
positions and moments are microseconds since 1970. `sweep` has the reading that goes up to the
present, `recheck` those of the past.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec
import structlog

from sentinelone_source.console.console import Console
from sentinelone_source.console.pagination import Paginator
from sentinelone_source.console.responses import Response, answer_error
from sentinelone_source.errors import SourceError, Unavailable
from sentinelone_source.feed.progress import LOWEST, Progress
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


class Reading:
    """Positions that are read once, in ascending order.

    Attributes:
        start: the first position to ask for; None for everything there is.
        until: the end of what is asked for, exclusive; None asks for all.
        ordered: whether all records of this pass came in ascending order so far.
        held: the lowest position of a row that was refused for now; it has to be read again.
        nearly_beyond: whether the next page may be the last one that is needed.
        beyond: whether the last page lay wholly beyond the end, so that the reading is complete.
    """

    def __init__(self, start: int | None, until: int | None, progress: Progress) -> None:
        self.start, self.until = start, until
        self.held: int | None = None
        self._before = self._progress = progress
        self.begin_pass(is_last=True)

    def begin_pass(self, *, is_last: bool) -> None:
        """Read from the start; several passes are needed if no single query shows all records.

        A pass that another one follows leaves the progress as it is. So after a crash between two
        passes the first is read again, and no record of the second is lost.
        """
        self._is_last_pass = is_last
        self._last = self._highest = LOWEST
        self.ordered = True
        self.nearly_beyond = self.beyond = False

    @property
    def progress(self) -> Progress:
        """How far the feed is complete, with what has been read so far."""
        return self._progress

    @property
    def asked_from(self) -> int:
        """The first position that was asked for; earlier records do not belong to this reading."""
        return LOWEST if self.start is None else self.start

    @property
    def wanted_from(self) -> int:
        """Rows from this position on are handed over if they are not known."""
        return self.asked_from

    @property
    def mostly_known(self) -> bool:
        """Whether most records of the next page have probably been handed over."""
        return False

    @property
    def end(self) -> int:
        """The last position that is needed: a page wholly after it ends the reading."""
        raise NotImplementedError

    def accept_clock(self, console_clock: int | None) -> bool:  # noqa: ARG002 - a sweep needs it
        """Take the console's clock at each answer; False if `start` moved back: read from there."""
        return True

    def add_page(self, positions: list[int]) -> Progress:
        """Take the positions of a page that was handed over; returns the new progress."""
        if positions:
            in_order = positions[0] >= self._last and positions == sorted(positions)
            self.ordered = self.ordered and in_order
            self._last = positions[-1]
            self._highest = max(self._highest, *positions)
            self.nearly_beyond = self.ordered and self._highest > self.end
            self.beyond = self.ordered and positions[0] > self.end
        if self._is_last_pass:
            self._move_on(positions)
        return self.progress

    def _move_on(self, positions: list[int]) -> None:
        """Move the progress on after a page of the last pass."""
        raise NotImplementedError

    def hold(self, position: int) -> None:
        """Note that a row at this position was refused for now, and has to be read again."""
        self.held = position if self.held is None else min(position, self.held)

    def overtake(self) -> None:
        """Note that a sweep is due now; only a recheck has to make way for it."""

    def complete(self) -> Progress:
        """Note that everything has been read; returns the new progress."""
        raise NotImplementedError

    def late(self, position: int) -> str:  # noqa: ARG002 - a sweep needs it
        """The age, in seconds, at which a late row at this position was found; empty if on time."""
        return ""

    def prune_before(self) -> int | None:
        """The position before which keys are no longer needed; None keeps all."""
        return None


class PageMemory(msgspec.Struct, frozen=True):
    """Bounds what is in memory, because a page of threats and its rows take 20 MiB.

    `unpacking` is held while a page is decompressed, and until it may be decoded, `decoding` while
    it is decoded and made into lines.
    """

    unpacking: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    decoding: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)


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
        next page is requested meanwhile, unless the current one may be the last. Raises what
        `Paginator` raises.
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
        except SourceError as error:
            self.memory.decoding.release()
            raise self.console.hide_token(error) from None
        except BaseException:
            self.memory.decoding.release()
            raise
        if page.errors:
            said = self.console.hide_token(SourceError("; ".join(page.errors)))
            self._warn_once("partial_answer", error=str(said))
        return page

    def _warn_once(self, trouble: str, **more: str) -> None:
        """Log a trouble of this feed the first time that it is met."""
        if trouble not in self._warned:
            self._warned.add(trouble)
            _log.warning(trouble, console=self.console.name, feed=self.name, **more)


def open_page(mapper: Mapper, body: bytes, console: ConsoleId, *, keys_first: bool = False) -> Page:
    """Decode the decompressed body of an answer with HTTP status 200; see `Mapper.open`.

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
