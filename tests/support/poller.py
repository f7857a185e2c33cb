"""The real feed, its state and its settlement, stopped between any two steps.

The console is a model, and so is the sink: each waits at a gate until the machine lets it go on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import msgspec

from sentinelone_source.console.responses import Response
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.recheck import Recheck
from sentinelone_source.feed.settlement import FeedContext, Settlement
from sentinelone_source.feed.state.schema import SettledPage
from sentinelone_source.feed.state.state import State
from sentinelone_source.feed.sweep import Sweep
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Receipt
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.request import PageRequest
from sentinelone_source.mapping.spec.schema import build
from sentinelone_source.times import SECOND, Clock, parse_moment, to_iso
from support.modelconsole import ModelConsole, Version

MAPPER = Mapper(
    build(
        "things",
        {
            "table": "Things_CL",
            "stream": "Custom-Things_CL",
            "request": {"path": "things", "records": "$.data", "page_size": 1000},
            "walk": {
                "id": "$.id",
                "version": "$.version",
                "position": "$.at",
                "filter": "at__gte",
                "until": "at__lt",
                "sort_by": "at",
                "rescan": True,
                "volatile": ["TimeGenerated", "Version"],
            },
            "columns": {
                "TimeGenerated": {"path": "$.at", "type": "datetime"},
                "Id": "$.id",
                "Version": "$.version",
                "Says": "$.says",
            },
        },
        "model",
    )
)


class Begun(msgspec.Struct, frozen=True):
    """What was true when a complete sweep began: the reference for the next one's promise.

    Attributes:
        clock: the console's; where it does not tell, the last position seen when the sweep ended.
        end: where the sweep may end.
        seen: the watermark, also of a sweep that did not end.
    """

    event: int
    time: int
    clock: int
    end: int
    now: int
    lookback: int
    retreats: int
    seen: int


@dataclass
class Settled:
    """A page that has been handed over, with what becomes permanent when it settles."""

    progress: Progress
    prune_before: int | None
    versions: list[Version]
    ended: Begun | None = None
    asked_from: int = 0


class ModelPoller:
    """One life of a process, from the opening of the state to a crash.

    Attributes:
        at: the gate where the sweep waits: a page is to be read, its rows are to be made, they
            have been handed over, or the sweep is to end; empty without a sweep.
        fresh: the versions whose rows were handed over last.
        held_back: the others of their page.
        unsettled: pages that were handed over, the oldest first.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        console: ModelConsole,
        ahead: Callable[[], int],
        *,
        at_once: bool = False,
    ) -> None:
        self.plan = plan
        self.console = console
        self.limit = 1
        self.at = ""
        self.fresh: list[Version] = []
        self.held_back: list[Version] = []
        self.unsettled: list[Settled] = []
        self.state = State(folder)
        self._loop = asyncio.new_event_loop()
        self._gate: asyncio.Future[None] | None = None
        self._arrived = asyncio.Event()
        self._sweep: asyncio.Task[Any] | None = None
        settlement = _Settlement(self, 0.0 if at_once else 1e9)
        clock = Clock(lambda: console.time + ahead(), lambda: console.time / SECOND)
        context = FeedContext(cast("Any", self), settlement, self.state, DeadLetters(folder), clock)
        self.settlement = settlement
        self.feed = Feed(cast("Any", _Console(self)), MAPPER, plan, context)
        self.number = self.state.feed("model", "things")

    @property
    def progress(self) -> Progress:
        return self.feed.progress

    @property
    def reading(self) -> Sweep | Recheck:
        """The decisions of the reading under way."""
        return cast("Sweep", self.feed._reading)

    def begin(self, reading: Coroutine[Any, Any, None] | None = None) -> None:
        """Begin a sweep, or another reading; returns when its first page has been read."""
        self._sweep = self._loop.create_task(reading or self.feed.sweep())
        self._run()
        while self.at == "page":
            self.go_on()

    def go_on(self) -> None:
        """Let the sweep go on to the next gate, or to its end."""
        assert self._gate is not None
        gate, self._gate, self.at = self._gate, None, ""
        gate.set_result(None)
        self._run()

    def settle(self) -> Settled:
        """Make the oldest page permanent."""
        if pages := self.settlement._pages:
            self.state.settle([pages.popleft()[1]])
        return self.unsettled.pop(0)

    def close(self) -> None:
        """Let go of everything; what is not settled is lost, as in a crash."""
        self._loop.run_until_complete(self._cancel())
        self._loop.close()
        self.state.close()

    async def _cancel(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self) -> None:
        self._loop.run_until_complete(self._to_a_gate())
        if self._sweep is not None and self._sweep.done():
            self._sweep.result()
            self._sweep, self.at = None, ""

    async def _to_a_gate(self) -> None:
        assert self._sweep is not None
        arrived = asyncio.ensure_future(self._arrived.wait())
        await asyncio.wait({self._sweep, arrived}, return_when=asyncio.FIRST_COMPLETED)
        arrived.cancel()
        self._arrived.clear()

    async def gate(self, where: str) -> None:
        """Wait to be let go on."""
        self.at = where
        self._gate = asyncio.get_running_loop().create_future()
        self._arrived.set()
        await self._gate

    # The sink.

    async def write(
        self, _console: str, _mapping: str, batches: Iterable[list[bytes]]
    ) -> Awaitable[Receipt]:
        """Take lines, and tell which versions they are of."""
        await self.gate("make")
        lines = b"".join(piece for pieces in batches for piece in pieces).splitlines()
        keys = {"{Id}@{Version}".format(**json.loads(line)) for line in lines}
        self.fresh = [one for one in self.page if one.key in keys]
        self.held_back = [one for one in self.page if one.key not in keys]
        return self._receipt()

    async def _receipt(self) -> Receipt:
        await self.gate("handed over")
        return Receipt([], [])

    def check(self) -> None:
        """There is always a reader."""

    page: list[Version]


class _Settlement(Settlement):
    """Tells what is to become permanent."""

    def __init__(self, poller: ModelPoller, delay: float) -> None:
        super().__init__(poller.state, cast("Any", poller), delay)
        self._poller = poller

    async def add(self, page: SettledPage) -> None:
        await super().add(page)
        if not self._delay:
            await self.settle_all()  # what `run` does within a second
        known = set(page.rows.keys)
        versions = [one for one in self._poller.page if one.key in known]
        self._poller.unsettled.append(Settled(page.progress, page.prune_before, versions))


class _Console:
    """The model as the feed sees it."""

    name, url = "model", "https://model.example"

    def __init__(self, poller: ModelPoller) -> None:
        self._poller = poller

    def pages(self, _endpoint: str, query: PageRequest) -> _ModelPages:
        return _ModelPages(self._poller, query)


class _ModelPages:
    """The model's pages of one query."""

    _ended = False

    def __init__(self, poller: ModelPoller, query: PageRequest) -> None:
        self._poller = poller
        self.restart(query)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is None:
            await self._poller.gate("end")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Response:
        if self._ended:
            raise StopAsyncIteration
        self._ended = True
        poller = self._poller
        await poller.gate("page")
        found = poller.console.page(self._start, self._until, self._cursor, poller.limit)
        poller.page = found.versions
        records = [
            {
                "id": f"{one.id}",
                "version": f"{one.number}",
                "at": to_iso(one.position),
                "says": one.says,
                "key": one.key,
            }
            for one in found.versions
        ]
        following = json.dumps(found.cursor) if found.cursor else None
        body = {"data": records, "pagination": {"nextCursor": following}}
        return Response("things", json.dumps(body).encode(), "", poller.console.tells)

    def restart(self, query: PageRequest) -> None:
        start, until = query.params.get("at__gte"), query.params.get("at__lt")
        self._start = None if start is None else parse_moment(start)
        self._until = None if until is None else parse_moment(until)
        self._cursor: tuple[int, int] | None = None
        self._ended = False

    def follow(self, cursor: str | None, **_: object) -> None:
        if cursor:
            self._cursor, self._ended = tuple(json.loads(cursor)), False

    def expect(self, cursor: str | None) -> None:
        """Nothing is asked ahead of a model."""
