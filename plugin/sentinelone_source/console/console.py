"""A console as the feeds see it: asked for pages, with patience where patience helps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from sentinelone_source.config import Console as ConsoleSettings
from sentinelone_source.console.expiry import Expiry
from sentinelone_source.console.limits import Limits
from sentinelone_source.console.session import Answer, Session
from sentinelone_source.errors import (
    BadRequest,
    ConfigError,
    CursorLost,
    FeedRefused,
    Refused,
    Retriable,
    SourceError,
    Throttled,
)
from sentinelone_source.retries import insist
from sentinelone_source.threads import in_thread

T = TypeVar("T")

FIRST_WAIT = 1.0
"""Seconds before the first new try; doubled for each further one."""
LONGEST_WAIT = 60.0
"""Seconds between tries that nothing makes longer, but the console's own `Retry-After`."""
LOCKED_OUT_WAIT = 300.0
"""Seconds between tries with a token that the console refuses."""
TOKEN_LOOK = 1.0
"""Seconds between looks at the token's file while it is refused."""

_log = structlog.get_logger()


class Console:
    """One console, shared by its feeds.

    Attributes:
        requests: made so far, by endpoint and HTTP status; `none` stands for no whole answer.
        answered: whether it has accepted our token, and be it to refuse a feed.
        expiry: of the token.

    Args:
        settings: address, token, filters.
        limits: of the token; shared with other consoles that use the same.
        patience: seconds to wait for a console that stays away, and then give up; None waits for
            ever, also for a token that is accepted.
    """

    def __init__(
        self, settings: ConsoleSettings, limits: Limits, *, patience: float | None
    ) -> None:
        self.name = settings.name
        self.requests: dict[tuple[str, str], int] = {}
        self.answered = False
        self.expiry = Expiry(settings, self.post)
        self._session = Session(settings)
        self._limits = limits
        self._patience = patience
        self._open = asyncio.Event()
        self._open.set()

    def check_token(self) -> None:
        """Raise ConfigError if there is no token."""
        self._session.token.value()

    async def fetch(self, endpoint: str, params: dict[str, str]) -> Answer:
        """One request, when the limits allow it. Raises what `Session.get` raises."""
        return await self._request(endpoint, self._session.get, params)

    async def post(self, endpoint: str, document: Any) -> Answer:
        """One document sent, when the limits allow it. Raises what `Session.get` raises."""
        return await self._request(endpoint, self._session.post, document)

    async def _request(self, endpoint: str, call: Callable[..., Answer], what: Any) -> Answer:
        limit = self._limits.of(endpoint)
        await self._open.wait()
        await limit.take()
        try:
            answer = await in_thread(call, endpoint, what)
        except ConfigError as error:  # the token was there when we started
            raise Refused(str(error)) from None
        except SourceError as error:
            if isinstance(error, Throttled):
                limit.close(error.retry_after or 0.0)
            self._count(endpoint, error.http_status)
            knows_us = isinstance(error, FeedRefused | BadRequest | CursorLost)
            self.answered |= knows_us and error.http_status != 404  # which anybody may get
            raise
        self._count(endpoint, 200)
        self.answered = True
        return answer

    async def ask(
        self,
        endpoint: str,
        params: dict[str, str],
        take: Callable[[Answer], Awaitable[T]],
        ahead: asyncio.Task[Answer] | None = None,
    ) -> T:
        """Ask until there is an answer that can be taken.

        Args:
            endpoint: path below `/web/api/v2.1/`.
            params: the query.
            take: makes something of the answer; may raise Retriable as long as it has done nothing.
            ahead: the same request, made before it was needed.

        Raises:
            Refused: the token is not accepted, and patience is limited.
            Retriable: the console stayed away for longer than patience goes.
            FeedRefused, BadRequest, CursorLost: at once.
        """
        while True:
            try:
                return await self._insist(endpoint, params, take, ahead)
            except Refused as error:
                if self._patience is not None:
                    raise
                await self._locked_out(error)
                ahead = None

    async def _insist(
        self,
        endpoint: str,
        params: dict[str, str],
        take: Callable[[Answer], Awaitable[T]],
        ahead: asyncio.Task[Answer] | None,
    ) -> T:
        made = [] if ahead is None else [ahead]

        async def ask() -> T:
            return await take(await (made.pop() if made else self.fetch(endpoint, params)))

        return await insist(
            ask,
            self._worth_another_try,
            first=FIRST_WAIT,
            longest=LONGEST_WAIT,
            patience=self._patience,
        )

    def _worth_another_try(self, error: Exception) -> bool | float:
        if not isinstance(error, Retriable) or isinstance(error, CursorLost):
            return False
        _log.warning("retry", console=self.name, error=str(error), retry_after=error.retry_after)
        return True if error.retry_after is None else max(error.retry_after, 0.1)

    async def _locked_out(self, error: Refused) -> None:
        """Wait for another token, loudly and slowly; all feeds of this console wait with us."""
        if not self._open.is_set():
            await self._open.wait()
            return
        self._open.clear()
        try:
            _log.error(
                "refused",
                console=self.name,
                error=str(error),
                token=str(self._session.token),
                next_try=f"in {LOCKED_OUT_WAIT:.0f} s, or as soon as the token file changes",
            )
            until = time.monotonic() + LOCKED_OUT_WAIT
            while time.monotonic() < until and not self._session.token.changed():
                await asyncio.sleep(TOKEN_LOOK)
        finally:
            self._open.set()

    def _count(self, endpoint: str, status: int | None) -> None:
        key = (endpoint, "none" if status is None else str(status))
        self.requests[key] = self.requests.get(key, 0) + 1
