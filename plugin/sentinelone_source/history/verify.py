"""`verify`: compares what the console shows for a span with what was handed over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing

import msgspec

from sentinelone_source.console.console import Console
from sentinelone_source.errors import CursorLost, Fatal, FeedRefused, Refused, SourceError
from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.reading import PageMemory, PageSource
from sentinelone_source.feed.recheck import Window
from sentinelone_source.feed.state.files import KeySnapshot
from sentinelone_source.history.verify_workspace import Ask, TableQuery, comparable
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Stride
from sentinelone_source.mapping.rows.convert import DoesNotFit, to_micros
from sentinelone_source.times import to_iso
from sentinelone_source.worker_threads import in_thread

_CHUNK = 20_000
"""How many records are compared at a time."""
_AT_ONCE = 4
"""How many feeds are compared at once; a workspace allows five queries of an identity at a time."""
_TRIES = 3
"""How often a feed is read if the console loses its cursor."""


class Comparison(msgspec.Struct):
    """The result for one feed, as `verify --json` prints it.

    Attributes:
        since, until: what was compared; the end is exclusive.
        records: how many records of the span the console shows and that can become rows.
        handed_over: how many of these were handed over, as the state remembers.
        in_workspace: how many have a row in the workspace; None if it was not queried.
        missing: how many have no row there or, if it was not queried, were not handed over.
        due: how many of the missing records the poller will hand over in a recheck.
        not_remembered: how many are older than what the state remembers.
        pending: how many changed after the last re-scan; the next one hands them over.
        error: why the feed could not be compared; empty if it could.
    """

    console: str
    feed: str
    table: str
    since: str = ""
    until: str = ""
    records: int = 0
    handed_over: int = 0
    in_workspace: int | None = None
    missing: int = 0
    missing_ids: list[str] = []
    due: int = 0
    not_remembered: int = 0
    pending: int = 0
    dead_letters: int = 0
    error: str = ""


class FeedCheck:
    """Compares one feed with the keys that the state remembers, and with the workspace if given.

    `missing` has the positions of missing records, by key.
    """

    def __init__(
        self,
        console: Console,
        mapper: Mapper,
        keys: KeySnapshot,
        plan: Plan,
        workspace: tuple[TableQuery, Ask] | None,
    ) -> None:
        mapping = mapper.mapping
        self.result = Comparison(console.name, mapping.name, mapping.table)
        self.missing: dict[str, int] = {}
        self.refused = False
        self._feed = keys.feeds.get((console.name, mapping.name), (0, Progress()))
        self._ordering, self._keys = mapping.ordering, keys
        self._source = PageSource(console, mapper, PageMemory())
        self._plan = plan
        self._workspace = workspace
        self._chunk: dict[str, int] = {}
        self._dead = 0

    async def compare(self, since: int | None, until: int | None) -> None:
        """Compare the feed from `since` to before `until`, at most up to the watermark.

        By default, the span begins at the oldest position that the state remembers. An error of
        this feed alone is put into the result. Raises Fatal if no feed can be compared.
        """
        try:
            await self._compare(since, until)
        except (FeedRefused, Refused) as error:
            self.refused, self.result.error = True, str(error)
        except Fatal:
            raise
        except SourceError as error:
            self.result.error = str(error)

    async def _compare(self, since: int | None, until: int | None) -> None:
        number, progress = self._feed
        if (watermark := progress.watermark) is None:
            self.result.error = "not swept yet, so there is nothing to compare"
            return
        until = watermark if until is None else min(until, watermark)
        if since is None:
            since = max(until - self._plan.remember, _remembered_from(progress))
        since = min(since, until)
        self.result.since, self.result.until = to_iso(since), to_iso(until)
        self.result.in_workspace = 0 if self._workspace else None
        empty = self.result
        for tries_left in reversed(range(_TRIES)):
            self.result, self.missing, self._chunk = msgspec.structs.replace(empty), {}, {}
            try:
                await self._read_keys(Window(since, until, Progress()), number, progress)
                break
            except CursorLost:
                if not tries_left:
                    raise
        self.result.dead_letters = self._dead
        self.result.missing = len(self.missing)
        self.result.missing_ids = [self._id(key) for key in self.missing]

    async def _read_keys(self, window: Window, number: int, progress: Progress) -> None:
        async for stride in self._strides(window):
            for key, at in zip(stride.keys, stride.positions, strict=True):
                if window.asked_from <= at < window.until:
                    self._chunk[key] = at
            if len(self._chunk) >= _CHUNK:
                await self._compare_chunk(number, progress)
        await self._compare_chunk(number, progress)

    async def _strides(self, window: Window) -> AsyncIterator[Stride]:
        """The rows of each page."""
        self._dead = 0
        async with aclosing(self._source.pages(window)) as pages:
            async for page in pages:
                walked: list[int] = []
                try:
                    for stride in self._source.mapper.strides(page):
                        walked += stride.positions
                        yield stride
                finally:
                    self._source.memory.decoding.release()
                self._dead += len(page.dead)
                window.add_page(walked)

    async def _compare_chunk(self, number: int, progress: Progress) -> None:
        """Compare the records that were read since the last call."""
        chunk, self._chunk, result = self._chunk, {}, self.result
        rechecked = min((at for _, at in progress.rechecked), default=None)
        handed = {key for key, at in chunk.items() if self._keys.holds(number, key, at)}
        found = handed
        if self._workspace is not None and chunk:
            found = await in_thread(self._in_workspace, *self._workspace, chunk)
            result.in_workspace = (result.in_workspace or 0) + len(found)
        result.records += len(chunk)
        result.handed_over += len(handed)
        for key, at in chunk.items():
            if key in found:
                continue
            if key not in handed and self._is_pending(key, progress):
                result.pending += 1
            elif self._workspace is None and at < _remembered_from(progress):
                result.not_remembered += 1
            else:
                self.missing[key] = at
                is_late = rechecked is not None and at >= rechecked
                result.due += key not in handed and is_late

    def _in_workspace(self, query: TableQuery, ask: Ask, chunk: dict[str, int]) -> set[str]:
        """The keys of records with a row there; with a heartbeat, one of the same id will do."""
        name = comparable if query.version else self._id
        wanted = {name(key): key for key in chunk}
        first = min(chunk.values()) - self._plan.heartbeat
        there = query.keys(ask, first, max(chunk.values()) + 1)
        return {wanted[key] for key in there if key in wanted}

    def _is_pending(self, key: str, progress: Progress) -> bool:
        """Whether a record changed after the last re-scan, which alone finds its changes."""
        if not self._ordering.rescan:
            return False
        try:
            return to_micros(key.rpartition("@")[2]) >= (progress.rescanned_at or 0)
        except DoesNotFit:
            return False

    def _id(self, key: str) -> str:
        return (key.rpartition("@")[0] or key) if self._ordering.version else key

    async def write_rows(self, write: Callable[[bytes], object]) -> int:
        """Read the missing records again and write their rows, as lines.

        Returns how many of them have changed since `compare`, so that they have no row.
        """
        left = dict(self.missing)
        if left:
            positions = left.values()
            window = Window(min(positions), max(positions) + 1, Progress())
            async for stride in self._strides(window):
                stride.leave_out(set(stride.keys).difference(left))
                for key in stride.keys:
                    del left[key]
                for piece in stride.lines():
                    write(piece.data)
        return len(left)


def _remembered_from(progress: Progress) -> int:
    """The first position for which the state shows whether a record was handed over."""
    return max(progress.forgotten or 0, progress.origin or 0)


async def compare_all(checks: Sequence[FeedCheck], since: int | None, until: int | None) -> None:
    """Compare several feeds at a time. Raises Fatal if no feed can be compared."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def compare(check: FeedCheck) -> None:
        async with slots:
            await check.compare(since, until)

    await asyncio.gather(*map(compare, checks))
    if checks and all(check.refused for check in checks):
        raise Refused(f"every feed is refused: {checks[0].result.error}")
