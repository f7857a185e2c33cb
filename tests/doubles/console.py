"""The demo console with a script of faults, switches, and a list of what came in."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil
from threading import Lock
from time import monotonic
from typing import Any, Final, NamedTuple
from urllib.parse import unquote
from zlib import crc32

from doubles.connections import Raw, hold
from doubles.faults import ConsoleFault, asked, places, throttled, with_cursor
from doubles.world import Name, World
from sentinelone_source.demo.console import DemoConsole, failure
from sentinelone_source.demo.dce.errors import Faults
from sentinelone_source.demo.endpoints import BASE, BY_PATH
from sentinelone_source.demo.golden import text
from sentinelone_source.demo.http_server import Answer, Call

_DETAILS: Final = "users/api-token-details"
_EXPIRES: Final = re.compile(rb'(?<="expiresAt":")[^"]*')
_PERMISSIONS: Final = {
    "activities": "Activity Page.view",
    "agents": "Endpoints.view",
    "alerts": "Custom Alerts.view",
    "groups": "Groups.view",
    "threats": "Threats.view",
}
_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class Rate(NamedTuple):
    """A limit: requests a second, and how many may come at once."""

    rps: float
    burst: int = 1


@dataclass(slots=True)
class ConsoleBehaviour:
    """How a console behaves; may be changed while it runs.

    Attributes:
        forbidden: endpoints that answer 403.
        rates: limits by endpoint; 429 beyond.
        short_pages: some pages are shorter than the limit.
        empty_last_page: a walk whose last page is full ends with an empty one.
        ascii_json: non-ASCII is escaped.
        token_expires: told by api-token-details.
    """

    forbidden: set[Name] = field(default_factory=set)
    rates: dict[Name, Rate] = field(default_factory=dict)
    short_pages: bool = False
    empty_last_page: bool = True
    ascii_json: bool = False
    token_expires: datetime | None = None


class ConsoleRequest(NamedTuple):
    """A request that came in. `status` is 0 when the connection was reset before an answer."""

    time: float
    endpoint: str
    query: dict[str, list[str]]
    status: int


def endpoint_of(call: Call) -> str:
    """The short name of a list endpoint, else the path below the API's base."""
    path = call.path.removeprefix(BASE)
    return BY_PATH[path].name if path in BY_PATH else path


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


class ScriptedConsole(DemoConsole):
    """`faults` is the script, `tokens` the set to revoke from, `behaviour` has the switches.

    All three may be changed while it runs. `requests` holds what came in, with `time.monotonic()`;
    tokens appear nowhere in it.
    """

    def __init__(
        self,
        world: World,
        tokens: set[str],
        faults: Iterable[ConsoleFault] = (),
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        **switches: Any,
    ) -> None:
        super().__init__(world, tokens, port=port, tls=tls)
        self.faults = Faults()
        self.faults.add(*faults)
        self.behaviour = ConsoleBehaviour(**switches)
        self.requests: list[ConsoleRequest] = []
        self._buckets: dict[Name, _Bucket] = {}
        self._lock = Lock()

    def handle(self, call: Call) -> Answer:
        """The answer of the script or of the API; the request is remembered."""
        asked_at, parameters = monotonic(), call.parameters
        wanted = places(endpoint_of(call), has_cursor="cursor" in parameters)
        fault = self.faults.take(*wanted)
        answer = fault.effect(call, self) if isinstance(fault, ConsoleFault) else self.serve(call)
        self.requests.append(ConsoleRequest(asked_at, endpoint_of(call), parameters, answer.status))
        if isinstance(fault, ConsoleFault) and fault.delay:
            hold(call, fault.delay)
        if isinstance(answer, Raw):
            return answer
        return answer.packed(call.headers.get("accept-encoding", ""))

    def serve(self, call: Call) -> Answer:
        """What the API answers, as `behaviour` has it."""
        known = self.behaviour
        if known.short_pages and "limit" in call.parameters:
            call = asked(call, limit=_shortened(call.parameters))
        answer = self.answer(call)
        if answer.status != 200:
            return answer
        if refusal := self._refusal(endpoint_of(call)):
            return refusal
        if not known.empty_last_page:
            answer = self._without_empty_page(call, answer)
        if known.token_expires and endpoint_of(call) == _DETAILS:
            expires = text(known.token_expires).encode()
            answer = replace(answer, body=_EXPIRES.sub(expires, answer.body))
        if known.ascii_json:
            answer = replace(answer, body=_NON_ASCII.sub(_escape, answer.body.decode()).encode())
        return answer

    def _refusal(self, name: str) -> Answer | None:
        if name in self.behaviour.forbidden:
            detail = f"The required permission is missing: {_PERMISSIONS[name]}"
            return failure(4030010, "Insufficient permissions", detail)
        rates: Any = self.behaviour.rates
        wait = self._wait(name, rates[name]) if name in rates else 0
        return throttled(ceil(wait)) if wait else None

    def _wait(self, name: Any, rate: Rate) -> float:
        with self._lock:
            bucket = self._buckets.get(name)
            if bucket is None or bucket.rate != rate:
                bucket = self._buckets[name] = _Bucket(rate)
            return bucket.wait()

    def _without_empty_page(self, call: Call, answer: Answer) -> Answer:
        found = re.search(rb'"nextCursor":"([^"]*)","total', answer.body)
        if found is None:
            return answer
        following = self.answer(asked(call, cursor=unquote(found[1].decode())))
        return with_cursor(answer, None) if following.body.startswith(b'{"data":[]') else answer


def _shortened(parameters: dict[str, list[str]]) -> str:
    """Depends on where the page begins only, so that the same request has the same answer."""
    limit = int(parameters["limit"][-1])
    is_short = crc32(repr(parameters.get("cursor")).encode()) % 2
    return str(max(1, limit * 2 // 3) if is_short else limit)


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
