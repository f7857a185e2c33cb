"""The management API as a function from call to answer; no sockets here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from sentinelone_source.demo import pages, query
from sentinelone_source.demo.answers import (
    INVALID_CURSOR,
    LOGIN_PAGE,
    NOT_FOUND,
    UNAUTHENTICATED,
    Answer,
    data,
    invalid,
)
from sentinelone_source.demo.cursors import InvalidCursorError
from sentinelone_source.demo.endpoints import BASE, BY_PATH, Endpoint
from sentinelone_source.demo.timestamps import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentinelone_source.demo.world import World

_TOKEN_LIFE: Final = timedelta(days=365)
_AGE_OF_TOKENS: Final = timedelta(days=30)
_CHECKS: Final = frozenset(
    (
        ("GET", "system/info"),
        ("GET", "users/viewer-auth-check"),
        ("POST", "users/api-token-details"),
    )
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request; `target` is path and query as they came, the headers' names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Below `/web/api/v2.1/`, or the whole path outside of it."""
        return self.target.partition("?")[0].removeprefix(BASE)

    @property
    def endpoint(self) -> str:
        """The short name of a list endpoint, else the path."""
        known = BY_PATH.get(self.path)
        return known.name if known else self.path

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The decoded query."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)


class Api:
    """Answers calls about one world."""

    def __init__(self, world: World, tokens: set[str]) -> None:
        self.world = world
        self.tokens = tokens

    def answer(self, call: Call) -> Answer:
        """What the console says; never raises."""
        if call.path == "/login":
            return LOGIN_PAGE
        if call.path == "system/status":
            return data({"health": "ok"})
        listed = BY_PATH.get(call.path) if call.method == "GET" else None
        if listed is None and (call.method, call.path) not in _CHECKS:
            return NOT_FOUND
        if not self._knows(call.headers.get("authorization", "")):
            return UNAUTHENTICATED
        if listed is None:
            return self._check(call)
        return self._list(listed, call.parameters)

    def _knows(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme == "ApiToken" and token in self.tokens

    def _check(self, call: Call) -> Answer:
        if call.path == "system/info":
            return data({"build": "412", "patch": "7", "release": "Xylo", "version": "X-26.1.7"})
        if call.path == "users/viewer-auth-check":
            return data({"success": True})
        try:
            known = msgspec.json.decode(call.body)["data"]["apiToken"] in self.tokens
        except (msgspec.DecodeError, LookupError, TypeError):
            known = False
        if not known:
            return invalid("data.apiToken: Not a valid token")
        created = self.world.now() - _AGE_OF_TOKENS
        return data({"createdAt": text(created), "expiresAt": text(created + _TOKEN_LIFE)})

    def _list(self, endpoint: Endpoint, parameters: dict[str, list[str]]) -> Answer:
        try:
            asked = query.read(parameters, endpoint)
        except query.InvalidQueryError as error:
            return invalid(str(error))
        except InvalidCursorError:
            return INVALID_CURSOR
        return Answer(200, pages.build(self.world, endpoint, asked))
