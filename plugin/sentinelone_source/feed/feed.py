"""One mapping on one console: a sweep, from its pages to their settlement."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from functools import partial

import structlog
from msgspec import Raw
from msgspec.structs import replace

from sentinelone_source.console.console import Console
from sentinelone_source.console.pagination import Paginator
from sentinelone_source.console.responses import Response
from sentinelone_source.errors import Declined, Unavailable
from sentinelone_source.feed.page_run import Counts, PageRun
from sentinelone_source.feed.settlement import FeedContext, MemorySlot, RowKeys
from sentinelone_source.feed.sweep import OVERDUE, Plan, Sweep, seconds_behind
from sentinelone_source.handover.dead_letters import DeadLetter, record_json
from sentinelone_source.handover.sink import Refusal
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Dead, Page
from sentinelone_source.mapping.page_reader import NotAPage, peek_cursor
from sentinelone_source.mapping.redaction import Redactor
from sentinelone_source.times import SECOND, SYSTEM_CLOCK, Clock, to_iso
from sentinelone_source.worker_threads import in_thread

_DEAD_KEPT = 86_400 * SECOND
"""How long a dead letter is remembered at least after it was seen last."""
_log = structlog.get_logger()


class Feed:
    """Sweeps one mapping on one console.

    Attributes:
        name: of the mapping.
        table: whose rows it makes.
        endpoint: what it asks for, below `/web/api/v2.1/`.
        counts: of all sweeps of this process, the one under way too.
        handing_over: the page at work; it goes on when the sweep is cancelled.
    """

    def __init__(
        self,
        console: Console,
        mapper: Mapper,
        plan: Plan,
        context: FeedContext,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.console = console
        self.name = mapper.mapping.name
        self.table = mapper.mapping.table
        self.endpoint = mapper.mapping.request.path
        self.counts = Counts()
        self.handing_over: asyncio.Task[None] | None = None
        self._mapper = mapper
        self._redactor = Redactor(mapper.mapping)
        self._plan = plan
        self._context = context
        self._state = context.state
        self._number = self._state.feed(console.name, self.name)
        self._progress = self._state.progress(self._number)
        self._clock = clock
        self._made = clock.now()
        self._ended: float | None = None
        self._began: dict[str, float] = {}
        self._told: set[str] = set()

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
        async with self.console.pages(self.endpoint, self._query(sweep)) as pages:
            await self._read(sweep, pages)
        counts = self.counts.since(before)
        if sweep.held is not None:
            raise Declined(
                f"{self.table}: the shipper refuses {counts.postponed} rows; "
                "they are read and handed over again"
            )
        self._progress = sweep.ended()
        self._settle(sweep, RowKeys([], []))
        self._ended = self._clock.monotonic()
        self._began["sweep"] = began
        if sweep.rescan:
            self._began["rescan"] = began
        self._tell(sweep, self._clock.monotonic() - began, counts)
        return counts

    async def _read(self, sweep: Sweep, pages: Paginator) -> None:
        """From page to page, up to the signpost; a page that has been begun is brought to its end.

        The next page is asked for meanwhile, unless this one may be the last.
        """
        async for response in pages:
            if not self._began_well(sweep, response):
                pages.restart(self._query(sweep))
                continue
            try:
                page, slot = await self._open(sweep, response, pages)
            except Unavailable as error:
                await pages.retry(error)
                continue
            with slot:
                pages.follow(page.cursor, ahead=not sweep.nearly_beyond)
                self.handing_over = asyncio.create_task(self._hand_over(sweep, page, slot))
                await asyncio.shield(self.handing_over)
            if sweep.beyond:
                return

    def _began_well(self, sweep: Sweep, response: Response) -> bool:
        """Whether the sweep can go on from where it began, by the console's clock."""
        about = {"console": self.console.name, "feed": self.name}
        if response.clock is None and self._newly("no_clock"):
            _log.warning("no_clock", **about)
        if sweep.began(response.clock):
            return True
        _log.warning("clocks_disagree", **about)
        return False

    async def _open(
        self, sweep: Sweep, response: Response, pages: Paginator
    ) -> tuple[Page, MemorySlot]:
        """Decode a page when there is room for it.

        Raises:
            Unavailable: it cannot be unpacked, or is not a page of the API.
        """
        async with self._context.unpacking:
            body = await in_thread(response.decoded)
            if not sweep.nearly_beyond:
                pages.expect(peek_cursor(body))
            slot = await self._context.memory_slot()
        try:
            return self._mapper.open(body), slot
        except NotAPage as error:
            slot.release()
            raise Unavailable(f"{self.endpoint}: not a page of the API: {error}") from None
        except BaseException:
            slot.release()
            raise

    async def _hand_over(self, sweep: Sweep, page: Page, slot: MemorySlot) -> None:
        """Make the page's new rows, bring them to the shipper, and settle what became of them."""
        run = PageRun(page, sweep, partial(self._state.known, self._number))
        sending = await self._context.sink.write(
            self.console.name, self.name, run.batches(self._mapper)
        )
        slot.release()
        refused, postponed = await sending
        run.postpone(postponed)
        buried = await self._write_dead_letters(page.dead, refused)
        self.counts.add(run.counts(buried, len(refused)))
        unasked = min(run.walked, default=sweep.asked_from) < sweep.asked_from - SECOND
        if unasked and self._newly("filter_ignored"):
            _log.warning("filter_ignored", console=self.console.name, feed=self.name)
        self._progress = sweep.passed(run.walked)
        self._settle(sweep, run.rows())

    def _settle(self, sweep: Sweep, rows: RowKeys) -> None:
        self._context.settlement.add(self._number, rows, self._progress, sweep.prune_before())

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
        return seconds_behind(self._plan, self._progress, self._made, self._clock.now())

    @property
    def last_success(self) -> float | None:
        """When the last sweep began that came to its end, unix seconds of our clock."""
        swept_at = self._progress.swept_at
        return None if swept_at is None else swept_at / SECOND

    def _since(self, what: str, now: float) -> int | None:
        """Microseconds since the last complete one began, if this process has seen it.

        Our clock may be set at any moment; what has passed is told by the monotonic one.
        """
        return round((now - self._began[what]) * SECOND) if what in self._began else None

    def _query(self, sweep: Sweep) -> dict[str, str]:
        mapping = self._mapper.mapping
        params = {
            **mapping.request.params,
            "limit": str(mapping.request.page_size),
            "sortBy": mapping.ordering.sort_by,
            "sortOrder": "asc",
            "skipCount": "true",
        }
        if sweep.start is not None:
            params[mapping.ordering.filter] = to_iso(max(0, sweep.start))
        return params

    def _newly(self, trouble: str) -> bool:
        """Whether a trouble that is told once has not been told yet."""
        new = trouble not in self._told
        self._told.add(trouble)
        return new

    async def _write_dead_letters(self, dead: list[Dead], refused: list[Refusal]) -> int:
        """Write what can never be delivered to the dead letters, in a thread and at once.

        A record is written once however often it comes; gives how many are new.
        """
        by_key = {_key(one): one for one in dead}
        known = self._state.dead(self._number, by_key)
        new = [one for key, one in by_key.items() if key not in known]
        if new or refused:
            await in_thread(self._context.dead_letters.write, self._letters(new, refused))
        if by_key:
            now = self._clock.now()
            kept = max(_DEAD_KEPT, self._plan.reach)
            self._state.remember_dead(self._number, by_key, now, now - kept)
        return len(new)

    def _letters(self, dead: list[Dead], refused: list[Refusal]) -> Iterator[DeadLetter]:
        letter = DeadLetter(console=self.console.name, table=self.table)
        for one in dead:
            record = record_json(self._redactor.redact(one.raw))
            yield replace(letter, reason=one.reason, record=record)
        for line, reason in refused:
            yield replace(letter, reason=reason, row=Raw(line.strip()))


def _key(dead: Dead) -> str:
    return f"id:{dead.id}" if dead.id else f"sha256:{hashlib.sha256(dead.raw).hexdigest()}"
