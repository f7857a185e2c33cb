"""`verify`: what the console shows for a span, compared with what was handed over.

A feed is read for its keys, and once more for the rows of what is missing, if these are wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from sentinelone_source.console.console import Console
from sentinelone_source.errors import CursorLost, Fatal, FeedRefused, Refused, SourceError
from sentinelone_source.feed.plan import Plan
from sentinelone_source.feed.reading import Window
from sentinelone_source.feed.state.progress import Progress
from sentinelone_source.feed.state.snapshot import KeySnapshot, RememberedFeed
from sentinelone_source.history.verify_reading import SpanReader
from sentinelone_source.history.verify_workspace import Ask, TableQuery, comparable
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.rows.convert import DoesNotFit, to_micros
from sentinelone_source.times import to_iso
from sentinelone_source.worker_threads import in_thread

_CHUNK = 20_000
"""Records that are compared at once."""
_AT_ONCE = 4
"""Feeds that are compared at once; a workspace answers five queries of one identity at a time."""
_TRIES = 3
"""Of a feed whose cursor the console loses."""


class Comparison(msgspec.Struct):
    """What was found of one feed.

    Attributes:
        since: the first position that was compared.
        until: the end, exclusive.
        records: of the span, as the console shows them; without those that become no row.
        handed_over: of these, those that the state remembers.
        in_workspace: of these, those with a row in the workspace; None if it was not asked.
        missing: neither handed over nor, if it was asked, in the workspace.
        missing_ids: which these are.
        due: of these, those that the poller hands over itself when it reads their positions again.
        not_remembered: too old for the state to say whether they were handed over.
        pending: changed after the last sweep that could have seen it.
        dead_letters: records that cannot become rows.
        error: why the comparison could not be made; empty if it was.
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
    """Compares one feed.

    Args:
        console: that is asked.
        mapper: of the feed.
        keys: what the state remembers.
        plan: how the feed is swept.
        workspace: how to ask the workspace for the table's keys; None to leave it out.

    Attributes:
        missing: positions by key.
        refused: the console does not let us read the feed.
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
        self._feed = keys.feeds.get((console.name, mapping.name))
        self._ordering, self._keys = mapping.ordering, keys
        self._reader = SpanReader(console, mapper)
        self._plan = plan
        self._workspace = workspace
        self._chunk: dict[str, int] = {}

    async def compare(self, since: int | None, until: int | None) -> None:
        """Compare; what prevents it goes into the result.

        Args:
            since: the first position; None begins where the state's memory does.
            until: the end, exclusive; None ends at the watermark.

        Raises:
            Fatal: it prevents every other comparison as well.
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
        feed = self._feed
        if feed is None or (watermark := feed.progress.watermark) is None:
            self.result.error = "not swept yet, so there is nothing to compare"
            return
        until = watermark if until is None else min(until, watermark)
        if since is None:
            since = max(until - self._plan.remember, _remembered_from(feed.progress))
        since = min(since, until)
        self.result.since, self.result.until = to_iso(since), to_iso(until)
        empty = self.result
        for tries_left in reversed(range(_TRIES)):
            self.result, self.missing, self._chunk = msgspec.structs.replace(empty), {}, {}
            if self._workspace is not None:
                self.result.in_workspace = 0
            try:
                await self._read_keys(Window(since, until, Progress()), feed)
            except CursorLost:
                if not tries_left:
                    raise
            else:
                break
        self.result.dead_letters = self._reader.dead
        self.result.missing = len(self.missing)
        self.result.missing_ids = [self._id(key) for key in self.missing]

    async def _read_keys(self, window: Window, feed: RememberedFeed) -> None:
        def known(keys: list[str], positions: list[int]) -> frozenset[str]:
            start, end = window.asked_from, window.until or 0
            pairs = zip(keys, positions, strict=True)
            self._chunk.update((key, at) for key, at in pairs if key and start <= at < end)
            return frozenset(keys)  # no row is wanted

        async for _ in self._reader.pages(window, known):
            if len(self._chunk) >= _CHUNK:
                await self._compare_chunk(feed)
        await self._compare_chunk(feed)

    async def _compare_chunk(self, feed: RememberedFeed) -> None:
        """Compare the records that have been read since the last time."""
        chunk, self._chunk, result = self._chunk, {}, self.result
        progress = feed.progress
        rechecked = min((at for _, at in progress.rechecked), default=None)
        handed = {key for key, at in chunk.items() if self._keys.holds(feed.number, key, at)}
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
        """Those that have a row in the workspace, or one that is no older than the heartbeat."""
        name = comparable if query.version else self._id
        wanted = {name(key): key for key in chunk}
        first = min(chunk.values()) - self._plan.heartbeat
        there = query.keys(ask, first, max(chunk.values()) + 1)
        return {wanted[key] for key in there if key in wanted}

    def _is_pending(self, key: str, progress: Progress) -> bool:
        """Whether a record has changed since the last re-scan, where changes need one."""
        if not self._ordering.rescan:
            return False
        try:
            return to_micros(key.rpartition("@")[2]) >= (progress.rescanned_at or 0)
        except DoesNotFit:
            return False

    def _id(self, key: str) -> str:
        return (key.rpartition("@")[0] or key) if self._ordering.version else key

    async def write_rows(self, write: Callable[[bytes], object]) -> int:
        """Write the rows of what is missing.

        Returns:
            How many records are no longer there as they were: they have changed since.
        """
        left = dict(self.missing)

        def known(keys: list[str], _: list[int]) -> set[str]:
            others = {key for key in keys if key not in left}
            for key in keys:
                left.pop(key, None)
            return others

        if left:
            positions = left.values()
            window = Window(min(positions), max(positions) + 1, Progress())
            async for lines in self._reader.pages(window, known):
                write(lines)
        return len(left)


def _remembered_from(progress: Progress) -> int:
    """The first position of which the state says whether it was handed over."""
    return max(progress.forgotten or 0, progress.origin or 0)


async def compare_all(checks: Sequence[FeedCheck], since: int | None, until: int | None) -> None:
    """Compare feeds, some at a time.

    Raises:
        Fatal: nothing can be compared.
        Refused: the console refuses every feed.
    """
    slots = asyncio.Semaphore(_AT_ONCE)

    async def compare(check: FeedCheck) -> None:
        async with slots:
            await check.compare(since, until)

    await asyncio.gather(*map(compare, checks))
    if checks and all(check.refused for check in checks):
        raise Refused(f"every feed is refused: {checks[0].result.error}")
