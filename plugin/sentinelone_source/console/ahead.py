"""The next page, asked for while there is still work on this one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from sentinelone_source.console.responses import Response

Query = dict[str, str]


class Ahead:
    """At most one request that nobody waits for yet.

    Args:
        fetch: makes the request.
    """

    def __init__(self, fetch: Callable[[Query], Coroutine[Any, Any, Response]]) -> None:
        self._fetch = fetch
        self._query: Query | None = None
        self._task: asyncio.Task[Response] | None = None

    def ask(self, query: Query | None) -> None:
        """Make this request, unless it is under way; let go of any other. None makes none."""
        if query == self._query:
            return
        self.drop()
        if query is not None:
            self._query, self._task = query, asyncio.create_task(self._fetch(query))

    def take(self) -> asyncio.Task[Response] | None:
        """The request, for the one who needs its answer; None if there is none."""
        task, self._query, self._task = self._task, None, None
        return task

    def drop(self) -> None:
        """Let go of the request: its answer is not needed, nor what it fails with."""
        if task := self.take():
            task.cancel()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
