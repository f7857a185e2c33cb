"""When a console's API token expires: asked daily, so that somebody is told before it does.

A token of today is a JWT and may say it itself; for any other the console is asked, which needs no
permission of its own. A console that does not know the question leaves the expiry unknown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from sentinelone_source.config import ConsoleTable
from sentinelone_source.console.responses import Response
from sentinelone_source.console.token import ApiToken
from sentinelone_source.errors import BadRequest, ConfigError, FeedRefused, SourceError
from sentinelone_source.jwt import read_claims
from sentinelone_source.times import SECOND, parse_moment, to_iso
from sentinelone_source.timings import DEFAULTS, Timings

DETAILS = "users/api-token-details"
SOON = 14 * 86_400.0
"""Seconds before its end from which on a token's expiry is warned of."""

_log = structlog.get_logger()


class Expiry:
    """Watches one token.

    Args:
        settings: say where the token is.
        post: sends a document to the console.
        timings: how long to wait between questions.

    Attributes:
        at: when the token expires, unix seconds; None if nobody knows.
    """

    def __init__(
        self,
        settings: ConsoleTable,
        post: Callable[[str, Any], Awaitable[Response]],
        timings: Timings = DEFAULTS,
    ) -> None:
        self._timings = timings
        self.at: float | None = None
        self._name = settings.name
        self._token = ApiToken(
            settings
        )  # our own: the session's notices itself when its file changes
        self._post = post
        self._value = ""
        self._due = 0.0

    async def watch(self, later: float = 0.0) -> None:
        """Ask once, daily, and whenever the token changes, until cancelled.

        Args:
            later: seconds before the first question, so that many consoles are asked in turn.
        """
        await asyncio.sleep(later)
        while True:
            try:
                value = self._token.value()
            except ConfigError:  # the feeds say it
                value = ""
            if value != self._value:
                self._value, self.at, self._due = value, None, 0.0
            if value and time.monotonic() >= self._due:
                await self._look()
            await asyncio.sleep(self._timings.expiry_look)

    async def _look(self) -> None:
        self._due = time.monotonic() + self._timings.expiry_question
        self.at = claimed_expiry(self._value)
        if self.at is None:
            try:
                self.at = told_expiry(
                    await self._post(DETAILS, {"data": {"apiToken": self._value}})
                )
            except (FeedRefused, BadRequest):
                return
            except SourceError:
                self._due = time.monotonic() + self._timings.expiry_unanswered
                return
        self._warn()

    def _warn(self) -> None:
        left = SOON if self.at is None else self.at - time.time()
        if self.at is not None and left < SOON:
            _log.warning(
                "token_expires",
                console=self._name,
                token=str(self._token),
                expires=to_iso(round(self.at * SECOND)),
                days=round(left / 86_400, 1),
            )


class _ExpiryClaims(msgspec.Struct):
    exp: float | None = None


class _Details(msgspec.Struct):
    expiresAt: str | None = None  # noqa: N815 - the API's name


class _Told(msgspec.Struct):
    data: _Details


def claimed_expiry(token: str) -> float | None:
    """When a token says that it expires, unix seconds; None if it is no JWT, or does not say."""
    claims = read_claims(token, _ExpiryClaims)
    return claims.exp if claims else None


def told_expiry(answer: Response) -> float | None:
    """When a token expires by the console's answer, unix seconds; None if it does not say.

    Raises:
        Unavailable: the answer is broken.
    """
    try:
        text = msgspec.json.decode(answer.decoded(), type=_Told).data.expiresAt
        return None if text is None else parse_moment(text) / SECOND
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None
