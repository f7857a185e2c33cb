"""A tenant in which records appear evenly, on a clock that does not wait; and its feed."""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any, Self, cast

from bench.pages import RECORDS, mappings, record_id, template
from sentinelone_source.console.responses import Response
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.settlement import FeedContext, Settlement
from sentinelone_source.feed.state.schema import RowKeys, SettledPage
from sentinelone_source.feed.state.state import State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Receipt, all_taken
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.request import PageRequest
from sentinelone_source.mapping.spec.model import Ordering
from sentinelone_source.times import SECOND, Clock, parse_moment, to_iso

_EPOCH = 1_800_000_000 * SECOND
LATENCY = round(1.4 * SECOND)
"""From a request to its answer, as it is measured at real consoles."""


class SteadyTenant:
    """A console, as the feed sees it.

    Args:
        table: whose records appear.
        rate: so many a second.
        latency: microseconds from a request to its answer.
        compressed: pages are, as consoles send them.

    Attributes:
        now: its clock, which is everybody's.
        cpu: seconds that it has used itself.
    """

    name = "tenant"
    url = "https://tenant.example.invalid"

    def __init__(
        self, table: str, rate: float, *, latency: int = LATENCY, compressed: bool = False
    ) -> None:
        self.table = table
        self.now = _EPOCH
        self.latency = latency
        self.cpu = 0.0
        self.ordering: Ordering = mappings()[table].ordering
        self._step = round(SECOND / rate)
        self._compressed = compressed

    def pages(self, _endpoint: str, query: PageRequest) -> _TenantPages:
        return _TenantPages(self, query)

    def page(self, first: int, end: int, until: int) -> bytes:
        """The records with these numbers, as JSON; `until` is the number after the last page."""
        began = time.process_time()
        filled = template(self.table).filled(range(first, end), lambda n: to_iso(self.position(n)))
        cursor = b"null" if end == until else b'"%d"' % end
        body = b'{"data":[%b],"pagination":{"nextCursor":%b}}' % (filled, cursor)
        body = zlib.compress(body, 1, zlib.MAX_WBITS | 16) if self._compressed else body
        self.cpu += time.process_time() - began
        return body

    def number(self, position: int) -> int:
        """Of the first record at or after a position."""
        return ceil(position / self._step)

    def position(self, number: int) -> int:
        """Of the record with this number."""
        return number * self._step

    def response(self, body: bytes) -> Response:
        return Response(self.table, body, "gzip" if self._compressed else "", self.now)


class _TenantPages:
    """The pages of one query."""

    def __init__(self, tenant: SteadyTenant, query: PageRequest) -> None:
        self._tenant = tenant
        self._next: int | None = None
        self._until = 0
        self.restart(query)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to let go of."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Response:
        tenant, first = self._tenant, self._next
        if first is None:
            raise StopAsyncIteration
        asked = tenant.now
        tenant.now += tenant.latency
        until = tenant.number(min(self._until, tenant.now))
        end = min(first + RECORDS, max(first, until))
        self._next = None
        response = tenant.response(tenant.page(first, end, max(first, until)))
        response.clock = asked // SECOND * SECOND
        return response

    def restart(self, query: PageRequest) -> None:
        ordering = self._tenant.ordering
        self._next = self._tenant.number(parse_moment(query.params[ordering.filter or ""]))
        ends = query.params.get(ordering.until or "")
        self._until = parse_moment(ends) if ends else 1 << 62

    def follow(self, cursor: str | None, **_: object) -> None:
        self._next = int(cursor) if cursor else None

    def expect(self, cursor: str | None) -> None:
        """Nothing is asked ahead: the clock moves by whole answers."""


class Poller:
    """The real feed of a tenant, with its state and its settlement.

    Attributes:
        feed: of this life of the process.
    """

    def __init__(self, tenant: SteadyTenant, plan: Plan, interval: float, folder: Path) -> None:
        self._tenant = tenant
        self._plan = plan
        self._interval = round(interval * SECOND)
        self.state = State(folder)
        clock = Clock(lambda: tenant.now, lambda: tenant.now / SECOND)
        sink = cast("Any", self)
        settlement = Settlement(self.state, sink, 0)
        self._context = FeedContext(sink, settlement, self.state, DeadLetters(folder), clock)
        self._mapper = Mapper(mappings()[tenant.table])
        self.restart()

    def restart(self) -> None:
        """Begin a new life from what the state has."""
        self.feed = Feed(cast("Any", self._tenant), self._mapper, self._plan, self._context)

    def remember(self, back: int) -> int:
        """Have handed over what appeared in so many microseconds; gives how many records."""
        now, number = self._tenant.now, self.state.feed(self._tenant.name, self._tenant.table)
        ages = tuple((age, now - age) for age in self._plan.ages)
        progress = Progress(now, now - back, now, now, rechecked=ages)
        first, end = self._tenant.number(now - back), self._tenant.number(now)
        for n in range(first, end, 50_000):
            some = range(n, min(end, n + 50_000))
            rows = RowKeys([*map(record_id, some)], [*map(self._tenant.position, some)])
            self.state.settle_at_once([SettledPage(number, rows, progress, None)])
        self.restart()
        return end - first

    async def live(self, seconds: float) -> None:
        """Sweep every interval, and recheck meanwhile, as the runner does."""
        tenant, end = self._tenant, self._tenant.now + round(seconds * SECOND)
        while tenant.now < end:
            await self.feed.sweep()
            following = tenant.now + self._interval
            while (due := self._due()) < following:
                tenant.now = max(tenant.now, due)
                await self.feed.recheck((following - due) / SECOND)
            tenant.now = max(tenant.now, following)
        await self._context.settlement.settle_all()

    def _due(self) -> int:
        wait = self.feed.until_recheck()
        return self._tenant.now + ceil(min(wait, 1e9) * SECOND)

    # The sink.

    async def write(
        self, _console: str, _mapping: str, batches: Iterable[list[bytes]]
    ) -> Awaitable[Receipt]:
        for _ in batches:
            pass
        return all_taken()

    def check(self) -> None:
        """There is always a reader."""


@contextmanager
def poller(tenant: SteadyTenant, plan: Plan, interval: float) -> Iterator[Poller]:
    """A poller with a new state, in memory where there is room for it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        one = Poller(tenant, plan, interval, Path(folder))
        try:
            yield one
        finally:
            one.state.close()
