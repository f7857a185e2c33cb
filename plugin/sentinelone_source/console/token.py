"""The API token: where it comes from, whether it has changed, and when it expires.

A token of today is a JWT and may say itself when it expires. For any other the console is asked,
which needs no permission of its own. A console that does not know the question leaves it unknown.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from sentinelone_source.config.defaults import ConsoleTable
from sentinelone_source.console.responses import Response
from sentinelone_source.errors import BadRequest, ConfigError, FeedRefused, SourceError
from sentinelone_source.jwt import read_claims
from sentinelone_source.secret_file import SecretFile
from sentinelone_source.times import SECOND, parse_moment, to_iso
from sentinelone_source.timings import DEFAULTS, Timings

DETAILS = "users/api-token-details"
SOON = 14 * 86_400.0
"""Seconds before its end from which on the expiry of a token or certificate is warned of."""

_log = structlog.get_logger()


class ApiToken:
    """A console's API token, read from its file again whenever that changes.

    The value is given to the session and to nobody else; `str()` says where it comes from.
    """

    def __init__(self, console: ConsoleTable) -> None:
        path = console.token_file
        self._file = SecretFile(Path(path), "token file") if path else None
        self._variable = console.token_env

    def __str__(self) -> str:
        return str(self._file or f"variable {self._variable}")

    __repr__ = __str__

    def value(self) -> str:
        """The token as it is now.

        Raises ConfigError if there is none, or it holds what no header can, and Unavailable if no
        file descriptor is left to read its file with.
        """
        token = self._file.value() if self._file else os.environ.get(self._variable, "").strip()
        if not token:
            raise ConfigError(f"{self}: is empty; put the API token there")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigError(f"{self}: holds more than one token, or characters that no token has")
        return token

    def stamp(self) -> object:
        """What is different whenever the token's file is another one."""
        return self._file and self._file.stamp()


class Expiry:
    """Asks daily when a console's token expires, so that somebody is told before it does.

    `at` is the moment, in unix seconds; None if nobody knows.
    """

    def __init__(
        self,
        name: str,
        token: ApiToken,
        post: Callable[[str, Any], Awaitable[Response]],
        timings: Timings = DEFAULTS,
    ) -> None:
        self.at: float | None = None
        self._name = name
        self._token = token
        self._post = post
        self._timings = timings
        self._value = ""
        self._due = 0.0

    async def watch(self, later: float = 0.0) -> None:
        """Ask `later`, so that many consoles are asked in turn, daily, and about each new token."""
        await asyncio.sleep(later)
        while True:
            try:
                value = self._token.value()
            except SourceError:  # the feeds report it
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
                answer = await self._post(DETAILS, {"data": {"apiToken": self._value}})
                self.at = told_expiry(answer)
            except (FeedRefused, BadRequest):
                return
            except SourceError:
                self._due = time.monotonic() + self._timings.expiry_unanswered
                return
        if self.at is not None and (left := self.at - time.time()) < SOON:
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
    """When a token expires by the console's answer, unix seconds; None if it does not say."""
    try:
        text = msgspec.json.decode(answer.decoded(), type=_Told).data.expiresAt
        return None if text is None else parse_moment(text) / SECOND
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None
