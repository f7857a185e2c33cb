"""Whether a console accepts the token: what a 401 is about, and the wait for another token."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, NamedTuple, TypeVar

import structlog

from sentinelone_source.console.token import ApiToken
from sentinelone_source.errors import Refused
from sentinelone_source.timings import Timings

T = TypeVar("T")

_RECENT = 10.0
"""Seconds for which a refusal stands that came before the question."""

_log = structlog.get_logger()


class _Verdict(NamedTuple):
    stamp: object
    at: float
    accepted: bool


class Access:
    """One console's token, and whether each endpoint that its feeds ask accepts it."""

    def __init__(
        self, name: str, token: ApiToken, endpoints: Iterable[str], timings: Timings
    ) -> None:
        self._name = name
        self._token = token
        self._endpoints = frozenset(endpoints)
        self._timings = timings
        self._open = asyncio.Event()
        self._open.set()
        self._verdicts: dict[str, _Verdict] = {}
        self._under_way: dict[asyncio.Task[Any], str] = {}
        self._deciding = asyncio.Lock()

    async def wait_until_allowed(self) -> None:
        """Returns at once, unless the console has refused the token for all endpoints."""
        await self._open.wait()

    async def track(self, endpoint: str, request: Coroutine[Any, Any, T]) -> T:
        """Await a request; others may wait for what its answer says about the token."""
        task = asyncio.create_task(request)
        self._under_way[task] = endpoint
        task.add_done_callback(self._under_way.pop)
        return await task

    def record(self, endpoint: str, stamp: object, *, accepted: bool) -> None:
        """Keep whether an endpoint accepts the token of this stamp."""
        self._verdicts[endpoint] = _Verdict(stamp, time.monotonic(), accepted)

    def is_outdated(self, stamp: object) -> bool:
        """Whether there is another token by now."""
        return self._token.stamp() != stamp

    async def accepted_elsewhere(
        self, endpoint: str, stamp: object, sent: float, ask: Callable[[str], Awaitable[object]]
    ) -> bool:
        """Whether other endpoints accept a token that one of them refuses.

        Requests under way tell it; where there are none, others are asked. Of one that gives no
        answer now, the last one counts. An acceptance from before `sent` proves nothing.
        """
        others = self._endpoints - {endpoint}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timings.token_probe):
                if under_way := [task for task, to in self._under_way.items() if to in others]:
                    await asyncio.wait(under_way)
                async with self._deciding:
                    for other in sorted(others):
                        if self._accepts(other, stamp, sent) is None:
                            await ask(other)
                        if self._accepts(other, stamp, sent):
                            return True
        latest = [self._verdicts[other] for other in others if other in self._verdicts]
        return any(verdict.accepted and verdict.stamp == stamp for verdict in latest)

    def _accepts(self, endpoint: str, stamp: object, sent: float) -> bool | None:
        verdict = self._verdicts.get(endpoint)
        if verdict is None or verdict.stamp != stamp:
            return None
        is_old = verdict.at < (sent if verdict.accepted else sent - _RECENT)
        return None if is_old else verdict.accepted

    async def wait_for_another_token(self, error: Refused) -> None:
        """Wait for another token, loudly and slowly; all feeds of the console wait with us."""
        if not self._open.is_set():
            await self._open.wait()
            return
        self._open.clear()
        try:
            seconds = self._timings.token_refused
            self.log_refusal(error, f"in {seconds:.0f} s")
            await self._changed(error.stamp, seconds)
        finally:
            self._open.set()

    async def wait_before_retry(self, endpoint: str, seconds: float) -> None:
        """Wait; if the endpoint has refused the token, no longer than until there is another."""
        verdict = self._verdicts.get(endpoint)
        if verdict is None or verdict.accepted:
            await asyncio.sleep(seconds)
        else:
            await self._changed(verdict.stamp, seconds)

    async def _changed(self, stamp: object, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.is_outdated(stamp):
            await asyncio.sleep(min(left, self._timings.token_look))

    def log_refusal(self, error: Refused, next_try: str, **about: str) -> None:
        """Log that the token is refused, and when it is tried again; `about` names an endpoint."""
        _log.error(
            "refused",
            console=self._name,
            **about,
            error=str(error),
            token=str(self._token),
            next_try=f"{next_try}, or as soon as the token file changes",
        )
