"""A console as the feeds see it: asked for pages, with patience where patience helps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from collections.abc import Mapping as Dict
from typing import Any

from sentinelone_source.config.defaults import ConsoleTable
from sentinelone_source.console.access import Access
from sentinelone_source.console.client import ConsoleClient, PageQuery
from sentinelone_source.console.limits import Limits, PageSize
from sentinelone_source.console.pagination import Paginator
from sentinelone_source.console.responses import Response
from sentinelone_source.console.token import Expiry
from sentinelone_source.errors import (
    BadRequest,
    ConfigError,
    CursorLost,
    FeedRefused,
    Overloaded,
    Refused,
    SourceError,
    Throttled,
)
from sentinelone_source.timings import DEFAULTS, Timings
from sentinelone_source.worker_threads import in_thread


class Console:
    """One console, shared by its feeds, within limits that all consoles with its token share.

    Attributes:
        access: whether it accepts the token.
        requests: made so far, by endpoint and HTTP status; `none` stands for no whole answer.
        answered: whether it has accepted our token, and be it to refuse a feed.
        expiry: of the token.
        patience: seconds to wait for a console that stays away, and then give up; None waits for
            ever, also for a token that is accepted.

    Args:
        endpoints: those that its feeds ask, and what each is asked for.
    """

    def __init__(
        self,
        settings: ConsoleTable,
        limits: Limits,
        endpoints: Dict[str, PageQuery],
        *,
        patience: float | None,
        timings: Timings = DEFAULTS,
    ) -> None:
        self.name, self.url = settings.name, settings.url
        self.requests: dict[tuple[str, str], int] = {}
        self.answered = False
        self._client = ConsoleClient(settings, timings, limits.connections)
        self.expiry = Expiry(settings.name, self._client.token, self.post, timings)
        self._endpoints = endpoints
        self.access = Access(settings.name, self._client.token, endpoints, timings)
        self._limits = limits
        self._share = limits.slots.share()
        self._is_slow = False
        self._page_sizes: dict[str, PageSize] = {}
        self.patience = patience
        self.timings = timings

    def hide_token(self, error: SourceError) -> SourceError:
        """Take the token out of an error that an answer has brought."""
        return self._client.hide_token(error)

    def check_token(self) -> None:
        """Raise ConfigError if there is no token."""
        self._client.token.value()

    async def fetch(self, endpoint: str, query: PageQuery) -> Response:
        """One page, with fewer records than wanted while the console fails at so many.

        Raises what `ConsoleClient.page` raises.
        """
        wanted = query.size
        new = PageSize(self.name, endpoint, self.timings.smaller_pages)
        size = self._page_sizes.setdefault(endpoint, new)
        asked = size.of(wanted)
        try:
            answer = await self._request(endpoint, self._client.page, query.sized(asked))
        except Overloaded:
            size.failed(asked, wanted)
            raise
        size.worked(asked, wanted)
        return answer

    async def post(self, endpoint: str, document: Any) -> Response:
        """One document sent, when the limits allow it. Raises what `ConsoleClient.post` raises."""
        return await self._request(endpoint, self._client.post, document)

    async def _request(self, endpoint: str, call: Callable[..., Response], what: Any) -> Response:
        """A request with a token that is not refused; one whose token has changed is made again.

        Raises:
            FeedRefused: also for a 401 of this endpoint alone.
        """
        while True:
            await self.access.wait_until_allowed()
            sent = time.monotonic()
            try:
                return await self._send(endpoint, call, what)
            except Refused as error:
                if self.access.is_outdated(error.stamp):
                    continue
                if error.http_status is None or not await self.access.accepted_elsewhere(
                    endpoint, error.stamp, sent, self._probe
                ):
                    raise
                self.access.log_refusal(error, "in an hour", endpoint=endpoint)
                refusal = FeedRefused(f"{error}, though other endpoints accept it")
                refusal.http_status = error.http_status
                raise refusal from None

    async def _probe(self, endpoint: str) -> None:
        """Ask an endpoint for one record, to learn whether it accepts the token."""
        one_record = self._endpoints[endpoint].sized(1)
        with contextlib.suppress(SourceError):
            await self._send(endpoint, self._client.page, one_record, urgent=True)

    async def _send(
        self, endpoint: str, call: Callable[..., Response], what: Any, *, urgent: bool = False
    ) -> Response:
        """One request, when there is a slot and the limits allow it."""
        limit, slots = self._limits.of(endpoint), self._limits.slots
        bounds = [limit, self._share, *([slots.slow] if self._is_slow else [])]
        stamp: object = None

        def work() -> Response:
            nonlocal stamp
            stamp = self._client.token.stamp()
            began = time.monotonic()
            try:
                return call(endpoint, what)
            finally:
                self._is_slow = time.monotonic() - began > self.timings.console_slow

        try:
            answer = await slots.run(
                lambda: self.access.track(endpoint, in_thread(work)), *bounds, urgent=urgent
            )
        except ConfigError as error:  # the token was readable at start
            raise Refused(str(error), stamp) from None
        except SourceError as error:
            if isinstance(error, Throttled):
                limit.close(min(error.retry_after or 0.0, self.timings.longest_obeyed))
            self._record(endpoint, stamp, error)
            raise
        self._record(endpoint, stamp, None)
        return answer

    def _record(self, endpoint: str, stamp: object, error: SourceError | None) -> None:
        """Count an answer, and keep what it says about the token."""
        status = 200 if error is None else error.http_status
        key = (endpoint, "none" if status is None else str(status))
        self.requests[key] = self.requests.get(key, 0) + 1
        if isinstance(error, Refused):
            error.stamp = stamp
            self.access.record(endpoint, stamp, accepted=False)
            return
        is_about_us = isinstance(error, FeedRefused | BadRequest | CursorLost)
        if error is None or (is_about_us and error.http_status in (400, 403)):
            self.access.record(endpoint, stamp, accepted=True)
            self.answered = True

    def pages(self, endpoint: str, query: PageQuery) -> Paginator:
        """The pages of a query, in an event loop; `async with` lets go of what is under way."""
        return Paginator(self, endpoint, query)
