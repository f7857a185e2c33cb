"""From page to page: what is asked for next, asked for again, and asked for ahead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import structlog

from sentinelone_source.errors import CursorLost, Refused, Retriable, Unavailable
from sentinelone_source.http.retry import Backoff

if TYPE_CHECKING:
    from sentinelone_source.console.client import PageQuery
    from sentinelone_source.console.console import Console
    from sentinelone_source.console.responses import Response

_log = structlog.get_logger()


class Paginator:
    """The pages of a query: `async for response in pages`.

    Whoever reads a page says what comes next: `follow` its cursor, `retry` the same page, or
    `restart` with another query. A page after which nothing was said, or whose cursor is null, is
    the last one: a short page, or an empty one, is not.

    A page that the console fails at is asked for again, as long as the console's `patience` goes.

    Raises:
        Refused: while reading: the token is not accepted, and patience is limited.
        Retriable: the console stayed away for longer than patience goes.
        CursorLost: the console has lost its cursor, or repeats one.
        FeedRefused, BadRequest: at once.
    """

    def __init__(self, console: Console, endpoint: str, query: PageQuery) -> None:
        self._console = console
        self._endpoint = endpoint
        self._query: PageQuery | None
        self._next: PageQuery | None
        self._lost: CursorLost | None
        self._failed: Retriable | None
        self._prefetched: tuple[PageQuery, asyncio.Task[Response]] | None = None
        self.restart(query)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._drop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Response:
        if self._lost is not None:
            raise self._lost
        if self._next is None:
            raise StopAsyncIteration
        query, self._next = self._next, None
        if query is not self._query:
            self._query = query
            self._begin_page()
        while True:
            try:
                return await self._get(query)
            except Refused as error:
                if self._console.patience is not None:
                    raise
                await self._console.access.wait_for_another_token(error)
                self._begin_page()
            except CursorLost:
                raise
            except Retriable as error:
                await self._wait(error)

    def restart(self, query: PageQuery) -> None:
        """The next page is the first one of this query."""
        self._drop()
        self._first = self._next = query
        self._query = None
        self._seen: set[int] = set()
        self._lost = None

    def follow(self, cursor: str | None, *, ahead: bool) -> None:
        """The next page is the one that this cursor leads to; there is none if it is null.

        With `ahead` it is asked for now. A cursor that was followed before, or an empty one, is an
        error of the next step, so that the page which brought it can be worked on.
        """
        if cursor is None:
            self._drop()
            return
        query = self._following(cursor) if cursor else None
        if query is None:
            self._drop()
            trouble = "the same cursor came twice" if cursor else "more pages, but no cursor"
            self._lost = CursorLost(f"{self._endpoint}: {trouble}")
            return
        self._seen.add(hash(cursor))
        self._next = query
        if ahead:
            self._ask_ahead(query)
        else:
            self._drop()

    def expect(self, cursor: str | None) -> None:
        """Ask now for the page that will probably be followed."""
        query = self._following(cursor) if cursor else None
        if query is not None:
            self._ask_ahead(query)

    async def retry(self, error: Retriable) -> None:
        """The next page is this one again, after a wait: it could not be read.

        Raises the error when patience is at its end.
        """
        self._drop()
        self._next = self._query
        await self._wait(error)

    async def _get(self, query: PageQuery) -> Response:
        """The page's answer, asked for before or now, within the patience for it."""
        ahead, self._prefetched = self._prefetched, None
        pending = ahead[1] if ahead is not None else self._console.fetch(self._endpoint, query)
        try:
            async with asyncio.timeout_at(self._deadline):
                return await pending
        except TimeoutError:
            words = f"{self._endpoint}: no answer for {self._console.patience:g} seconds"
            raise self._failed or Unavailable(words) from None

    async def _wait(self, error: Retriable) -> None:
        self._failed = error
        asked = error.retry_after
        _log.warning("retry", console=self._console.name, error=str(error), retry_after=asked)
        if not await self._backoff.wait(error):
            raise error

    def _begin_page(self) -> None:
        """Patience and back-off begin again with each page."""
        timings, patience = self._console.timings, self._console.patience
        first, longest = timings.console_first_retry, timings.console_longest_retry
        self._backoff = Backoff(first, longest, patience)
        self._failed = None
        now = asyncio.get_running_loop().time()
        self._deadline = None if patience is None else now + patience

    def _following(self, cursor: str) -> PageQuery | None:
        """The query that a cursor leads to; None where it would lead in a circle."""
        return None if hash(cursor) in self._seen else self._first.following(cursor)

    def _ask_ahead(self, query: PageQuery) -> None:
        """Make this request, unless it is under way; let go of any other."""
        if self._prefetched is not None and self._prefetched[0] == query:
            return
        self._drop()
        self._prefetched = query, asyncio.create_task(self._console.fetch(self._endpoint, query))

    def _drop(self) -> None:
        """Let go of the request made ahead: its answer is not needed, nor what it fails with."""
        if self._prefetched is not None:
            _, task = self._prefetched
            self._prefetched = None
            task.cancel()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
