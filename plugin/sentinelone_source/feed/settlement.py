"""What becomes permanent: pages are settled in the state, and dead records go to a file.

`FeedContext` is what all feeds of a process share for that.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Iterator

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from sentinelone_source.feed.reading import PageMemory
from sentinelone_source.feed.state.schema import SettledPage, UnsettledPage
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.dead_letters import DeadLetter, DeadLetters, record_json
from sentinelone_source.handover.sink import Refusal, Sink
from sentinelone_source.mapping.page import Dead
from sentinelone_source.mapping.redaction import Redactor
from sentinelone_source.mapping.spec.model import Mapping
from sentinelone_source.times import SECOND, SYSTEM_CLOCK, Clock
from sentinelone_source.timings import DEFAULTS, Timings
from sentinelone_source.worker_threads import in_thread

_AT_ONCE = 16
"""How many pages are settled in one transaction; the event loop waits meanwhile."""
_KEPT = 86_400 * SECOND
"""The shortest time that a dead letter is remembered after it was last seen; microseconds."""


class Settlement:
    """Settles pages in the order in which they were handed over, `delay` seconds later or at once.

    Pages of several feeds are committed together, so that they wait for the disk only once.
    """

    def __init__(self, state: State, sink: Sink, delay: float, timings: Timings = DEFAULTS) -> None:
        self._state = state
        self._sink = sink
        self._delay = delay
        self._look = min(timings.settlement_look, delay or timings.settlement_look)
        self._pages: deque[tuple[float, UnsettledPage]] = deque()
        self._gathered: list[SettledPage] = []
        self._without_rows: dict[int, SettledPage] = {}
        self._committing = asyncio.Lock()

    async def add(self, page: SettledPage) -> None:
        """Take a page that was handed over. Without a delay, it is settled when this returns.

        A page without rows is settled within a second instead: if a crash comes first, no row is
        lost or repeated. Raises ReaderGone, so that the page may not have arrived, and StateError.
        """
        if self._delay:
            unsettled = self._state.record_unsettled(page)
            self._pages.append((time.monotonic() + self._delay, unsettled))
            return
        self._sink.check()
        earlier = self._without_rows.pop(page.feed, None)
        if earlier is not None and page.prune_before is None:  # a recheck follows a sweep
            page = page._replace(prune_before=earlier.prune_before)
        if not any(page.rows):
            self._without_rows[page.feed] = page
            return
        self._state.raise_newest(page.feed, page.rows.positions)
        self._gathered.append(page)
        async with self._committing:  # pages of other feeds gather while a commit is under way
            if any(one is page for one in self._gathered):
                await self._commit()

    async def run(self) -> None:
        """Settle pages as they become due, until cancelled.

        Raises ReaderGone within a second, also without rows, and StateError.
        """
        while True:
            self._sink.check()
            while self._pages and self._pages[0][0] <= time.monotonic():
                due = [self._pages.popleft() for _ in range(min(_AT_ONCE, len(self._pages)))]
                self._state.settle([page for _, page in due])
                await asyncio.sleep(0)
            if self._without_rows:
                async with self._committing:
                    await self._commit()
            await asyncio.sleep(self._look)

    async def settle_all(self) -> None:
        """Settle all pages now, because the process stops or no page has to wait."""
        self._sink.check()
        self._state.settle([page for _, page in self._pages])
        self._pages.clear()
        async with self._committing:
            await self._commit()

    async def _commit(self) -> None:
        """Commit all pages that have gathered, in one transaction."""
        pages, self._gathered = self._gathered, []
        latest, self._without_rows = self._without_rows, {}
        try:
            await in_thread(self._state.settle_at_once, [*pages, *latest.values()])
        except BaseException:
            self._gathered = pages + self._gathered  # their feeds try again, and report the error
            raise


class FeedContext(msgspec.Struct, frozen=True):
    """What all feeds of a process share.

    Attributes:
        sink: takes the rows.
        writing_dead: held by the feed whose dead letters are written.
    """

    sink: Sink
    settlement: Settlement
    state: State
    dead_letters: DeadLetters
    clock: Clock = SYSTEM_CLOCK
    memory: PageMemory = msgspec.field(default_factory=PageMemory)
    writing_dead: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)


class DeadRecords:
    """Writes the dead letters of one feed, each record once.

    After it was last seen, a record can be read again for `remember` microseconds.
    """

    def __init__(
        self, console: str, mapping: Mapping, context: FeedContext, number: int, remember: int
    ) -> None:
        self._letter = DeadLetter(console=console, table=mapping.table)
        self._redactor = Redactor(mapping)
        self._context = context
        self._number = number
        self._kept = max(_KEPT, remember)

    async def write(self, dead: list[Dead], refused: list[Refusal]) -> int:
        """Write records and refused rows of a page; returns how many records are new.

        Raises StateError.
        """
        state, now = self._context.state, self._context.clock.now()
        by_key = {_key(one): one for one in dead}
        known = state.dead(self._number, by_key)
        new = [one for key, one in by_key.items() if key not in known]
        if new or refused:
            async with self._context.writing_dead:
                await in_thread(self._context.dead_letters.write, self._letters(new, refused))
        if by_key:
            state.remember_dead(self._number, by_key, now, now - self._kept)
        return len(new)

    def _letters(self, dead: list[Dead], refused: list[Refusal]) -> Iterator[DeadLetter]:
        for one in dead:
            record = record_json(self._redactor.redact(one.raw))
            yield replace(self._letter, reason=one.reason, record=record)
        for line, reason, _ in refused:
            yield replace(self._letter, reason=reason, row=Raw(line.strip()))


def _key(dead: Dead) -> str:
    return f"id:{dead.id}" if dead.id else f"sha256:{hashlib.sha256(dead.raw).hexdigest()}"
