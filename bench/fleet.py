"""Simulated agents that report every few minutes, and now and then have news; and their console."""

from __future__ import annotations

import re
import time
import zlib
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from bench.pages import RECORDS, SEED, template
from sentinelone_source.console.responses import Response
from sentinelone_source.mapping.request import PageRequest
from sentinelone_source.times import SECOND, parse_moment, to_iso

BEGIN = 1_790_000_000 * SECOND
_USER = re.compile(rb'"lastLoggedInUserName":"[^"]*"')


class Fleet:
    """Agents, and the console that shows the last report of each.

    Args:
        size: how many agents there are.
        every: seconds between two reports of an agent.
        lasts: seconds in which there is news.
        news: how many news an agent has in that time.
        compressed: pages are, as consoles send them.

    Attributes:
        clock: the console's, microseconds; whoever simulates moves it.
        cpu: seconds that the console has used itself.
        name, url: of the console.
    """

    name, url = "bench", None

    def __init__(
        self, size: int, every: int, lasts: int, news: int, *, compressed: bool = False
    ) -> None:
        rng = Random(SEED)
        self._every = every * SECOND
        self._phases = sorted(rng.sample(range(self._every), size))
        self._news = [
            sorted(BEGIN + rng.randrange(lasts * SECOND) for _ in range(news)) for _ in range(size)
        ]
        self._records = [
            _USER.sub(b'"lastLoggedInUserName":"u%(user)d"', record)
            for record in template("agents").records
        ]
        self.clock = BEGIN
        self.cpu = 0.0
        self._compressed = compressed

    def shown(self) -> list[tuple[int, int]]:
        """The position of every agent's last report, and the agent, in order."""
        period = (self.clock - BEGIN) // self._every * self._every + BEGIN
        passed = bisect_right(self._phases, self.clock - period)
        reports = [
            (period + phase - (self._every if n >= passed else 0), n)
            for n, phase in enumerate(self._phases)
        ]
        return reports[passed:] + reports[:passed]

    def says(self, agent: int, position: int) -> int:
        """How many news of an agent a report at a position has seen."""
        return bisect_right(self._news[agent], position)

    @asynccontextmanager
    async def pages(self, _endpoint: str, query: PageRequest) -> AsyncIterator[_FleetPages]:
        """The pages of one query."""
        yield _FleetPages(self, query)

    def response(self, reports: list[tuple[int, int]]) -> Response:
        """A page as the console sends it."""
        began = time.process_time()
        filled = [
            self._records[n % RECORDS]
            % {b"id": b"%d" % n, b"at": to_iso(at).encode(), b"user": self.says(n, at)}
            for at, n in reports
        ]
        body = b'{"data":[%b],"pagination":{"nextCursor":null}}' % b",".join(filled)
        body = zlib.compress(body, 1, zlib.MAX_WBITS | 16) if self._compressed else body
        self.cpu += time.process_time() - began
        return Response("agents", body, "gzip" if self._compressed else "", self.clock)


class _FleetPages:
    """What a console gives, as far as a feed that is never interrupted asks for it."""

    def __init__(self, fleet: Fleet, query: PageRequest) -> None:
        self._fleet = fleet
        self.restart(query)

    def restart(self, query: PageRequest) -> None:
        """Begin again, with another query."""
        start = parse_moment(query.params.get("updatedAt__gte", to_iso(0)))
        until = parse_moment(query.params.get("updatedAt__lt", to_iso(1 << 57)))
        found = [one for one in self._fleet.shown() if start <= one[0] < until]
        self._left = [found[n : n + RECORDS] for n in range(0, len(found), RECORDS)] or [[]]

    async def __aiter__(self) -> AsyncIterator[Response]:
        """Page by page."""
        while self._left:
            yield self._fleet.response(self._left.pop(0))

    def follow(self, _cursor: str | None, **_: object) -> None:
        """There is no cursor."""

    def expect(self, _cursor: str | None) -> None:
        """Nothing is asked ahead."""
