"""The management API as a function from call to answer; no sockets here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs

import msgspec

from . import pages, query
from .answers import (
    INVALID_CURSOR,
    LOGIN_PAGE,
    NOT_FOUND,
    UNAUTHENTICATED,
    Answer,
    data,
    failure,
    invalid,
    throttled,
)
from .cursors import InvalidCursorError
from .endpoints import BASE, BY_PATH, Endpoint, Name
from .moments import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .world import World

_TOKEN_LIFE: Final = timedelta(days=365)
_AGE_OF_TOKENS: Final = timedelta(days=30)
_CHECKS: Final = frozenset(
    (
        ("GET", "system/info"),
        ("GET", "users/viewer-auth-check"),
        ("POST", "users/api-token-details"),
    )
)


class Rate(NamedTuple):
    """A limit: requests a second, and how many may come at once."""

    rps: float
    burst: int = 1


@dataclass(slots=True)
class Behaviour:
    """How a console behaves; may be changed while it runs.

    `forbidden` endpoints answer 403; `latency` seconds go by before every answer; `strict_cursors`
    refuses a cursor that is still percent-encoded after query decoding; `short_pages` makes some
    pages shorter than the limit; `empty_last_page` ends a walk whose last page is full with an
    empty one; `ascii_json` escapes non-ASCII; `token_expires` is told by api-token-details.
    """

    forbidden: set[Name] = field(default_factory=set)
    latency: float = 0.0
    rates: dict[Name, Rate] = field(default_factory=dict)
    strict_cursors: bool = True
    short_pages: bool = False
    empty_last_page: bool = True
    ascii_json: bool = False
    gzip_level: int = 1
    token_expires: datetime | None = None


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


class _Bucket:
    """A token bucket."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._level, self._filled_at = float(rate.burst), monotonic()

    def wait(self) -> float:
        """0 when a request may pass, else the seconds until one may."""
        now = monotonic()
        gained = (now - self._filled_at) * self.rate.rps
        self._level, self._filled_at = min(self.rate.burst, self._level + gained), now
        if self._level < 1:
            return (1 - self._level) / self.rate.rps
        self._level -= 1
        return 0.0


class Api:
    """Answers calls about one world."""

    def __init__(self, world: World, tokens: set[str], behaviour: Behaviour) -> None:
        self.world = world
        self.tokens = tokens
        self.behaviour = behaviour
        self._buckets: dict[Name, _Bucket] = {}
        self._lock = Lock()

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
        return self._refusal(listed) or self._list(listed, call.parameters)

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
        in_future = self.world.now() - _AGE_OF_TOKENS + _TOKEN_LIFE
        expires = self.behaviour.token_expires or in_future
        return data({"createdAt": text(expires - _TOKEN_LIFE), "expiresAt": text(expires)})

    def _refusal(self, endpoint: Endpoint) -> Answer | None:
        if endpoint.name in self.behaviour.forbidden:
            detail = f"The required permission is missing: {endpoint.permission}"
            return failure(4030010, "Insufficient permissions", detail)
        rate = self.behaviour.rates.get(endpoint.name)
        wait = self._wait(endpoint.name, rate) if rate else 0
        return throttled(ceil(wait)) if wait else None

    def _wait(self, name: Name, rate: Rate) -> float:
        with self._lock:
            bucket = self._buckets.get(name)
            if bucket is None or bucket.rate != rate:
                bucket = self._buckets[name] = _Bucket(rate)
            return bucket.wait()

    def _list(self, endpoint: Endpoint, parameters: dict[str, list[str]]) -> Answer:
        how = self.behaviour
        try:
            asked = query.read(parameters, endpoint, self.world, strict_cursors=how.strict_cursors)
        except query.InvalidQueryError as error:
            return invalid(str(error))
        except InvalidCursorError:
            return INVALID_CURSOR
        body = pages.build(
            self.world, endpoint, asked, short=how.short_pages, extra=how.empty_last_page
        )
        return Answer(200, pages.escaped(body) if how.ascii_json else body)
