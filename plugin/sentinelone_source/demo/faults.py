"""Fault scripts as data: what a console does wrong, to which requests.

    faults = [status("threats", 503, times=2), throttle("agents", retry_after=1),
              reset("activities", after_bytes=100)]

Each endpoint has its own queue, in the order of the list; "*" is a queue for whatever no other
queue wants. A fault lets `after` requests pass, hits `times` (None: for ever), then makes way for
the next. With `on="cursor"` only requests with a cursor count, with `on="first"` only those
without one.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from . import answers
from .answers import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

Requests = Literal["any", "cursor", "first"]


@dataclass(frozen=True, slots=True)
class Say:
    """This answer instead of the API's."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Reset:
    """RST after so many bytes of the body; with 0 before any byte of the answer."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class Close:
    """FIN after so many bytes of the body, which was announced as longer."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class BrokenJson:
    """A complete HTTP answer with the first half of its JSON."""


@dataclass(frozen=True, slots=True)
class BrokenGzip:
    """A complete HTTP answer with the first half of its gzip stream."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Silence for so many seconds, then the API's answer."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RepeatCursor:
    """The API's page, but `nextCursor` is the cursor that was sent."""


Effect = Say | Reset | Close | BrokenJson | BrokenGzip | Hang | RepeatCursor


@dataclass(frozen=True, slots=True)
class Fault:
    """An effect and the requests it befalls."""

    endpoint: str
    effect: Effect
    times: int | None = 1
    after: int = 0
    on: Requests = "any"

    def counts(self, *, has_cursor: bool) -> bool:
        """Whether such a request is one of those that this fault looks at."""
        return self.on == "any" or (self.on == "cursor") == has_cursor


class When(TypedDict, total=False):
    """Which requests a fault befalls; see the module's text."""

    times: int | None
    after: int
    on: Requests


def status(
    endpoint: str, code: int, body: str = "", content_type: str | None = None, **when: Unpack[When]
) -> Fault:
    """Any status, bare unless a body is given."""
    return say(endpoint, Answer(code, body.encode(), content_type), **when)


def say(endpoint: str, answer: Answer, **when: Unpack[When]) -> Fault:
    """A whole answer of one's own."""
    return Fault(endpoint, Say(answer), **when)


def unauthorized(endpoint: str, *, plain: bool = False, **when: Unpack[When]) -> Fault:
    """401, as JSON or as the plain text that some consoles send."""
    text = Answer(401, b"An error occurred.", answers.PLAIN)
    return say(endpoint, text if plain else answers.UNAUTHENTICATED, **when)


def forbidden(endpoint: str, *, html: bool = False, **when: Unpack[When]) -> Fault:
    """403 of the API (4030010), or of something in front of it."""
    title = "Insufficient permissions"
    refusal = answers.failure(4030010, title, "This scope does not have the feature enabled")
    return say(endpoint, answers.page(403, "403 Forbidden") if html else refusal, **when)


def throttle(endpoint: str, retry_after: float | str | None = None, **when: Unpack[When]) -> Fault:
    """429 of the API; `retry_after` may be seconds or a date, or be missing."""
    return say(endpoint, answers.throttled(retry_after), **when)


def throttle_html(endpoint: str, **when: Unpack[When]) -> Fault:
    """429 of the nginx in front of the API: HTML, no Retry-After."""
    return say(endpoint, answers.page(429, "429 Too Many Requests"), **when)


def server_error(endpoint: str, **when: Unpack[When]) -> Fault:
    """500 of the API."""
    detail = "Server could not process the request."
    return say(endpoint, answers.failure(5000010, "Internal server error", detail), **when)


def bad_gateway(endpoint: str, **when: Unpack[When]) -> Fault:
    """502 without a body."""
    return status(endpoint, 502, **when)


def login_page(endpoint: str, **when: Unpack[When]) -> Fault:
    """200 with HTML."""
    return say(endpoint, answers.LOGIN_PAGE, **when)


def redirect(endpoint: str, location: str = "/login", **when: Unpack[When]) -> Fault:
    """302, to the log-in page unless told otherwise."""
    return say(endpoint, Answer(302, b"", None, (("Location", location),)), **when)


def invalid_cursor(endpoint: str, **when: Unpack[When]) -> Fault:
    """400 with code 4000010 for the next request that carries a cursor."""
    when.setdefault("on", "cursor")
    return Fault(endpoint, Say(answers.INVALID_CURSOR), **when)


def repeat_cursor(endpoint: str, **when: Unpack[When]) -> Fault:
    """The next page that was asked for with a cursor names that cursor again."""
    when.setdefault("on", "cursor")
    return Fault(endpoint, RepeatCursor(), **when)


def reset(endpoint: str, after_bytes: int = 0, **when: Unpack[When]) -> Fault:
    """The connection is reset before the answer, or within its body."""
    return Fault(endpoint, Reset(after_bytes), **when)


def close(endpoint: str, after_bytes: int = 0, **when: Unpack[When]) -> Fault:
    """The connection ends within the body."""
    return Fault(endpoint, Close(after_bytes), **when)


def broken_json(endpoint: str, **when: Unpack[When]) -> Fault:
    """Half of the JSON."""
    return Fault(endpoint, BrokenJson(), **when)


def broken_gzip(endpoint: str, **when: Unpack[When]) -> Fault:
    """Half of the gzip stream."""
    return Fault(endpoint, BrokenGzip(), **when)


def hang(endpoint: str, seconds: float, **when: Unpack[When]) -> Fault:
    """No answer for a while."""
    return Fault(endpoint, Hang(seconds), **when)


@dataclass(slots=True)
class _Turn:
    """A fault in a queue: how many requests it still lets pass, how many it still hits."""

    fault: Fault
    passing: int
    hits: float

    def befalls(self) -> bool:
        if self.passing:
            self.passing -= 1
            return False
        self.hits -= 1
        return True


class Script:
    """The queues; safe to use from many threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._queues: dict[str, deque[_Turn]] = {}
        self._lock = Lock()
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Appends to the queues."""
        with self._lock:
            for fault in faults:
                hits = math.inf if fault.times is None else fault.times
                turn = _Turn(fault, fault.after, hits)
                self._queues.setdefault(fault.endpoint, deque()).append(turn)

    def clear(self) -> None:
        """From now on everything goes well."""
        with self._lock:
            self._queues.clear()

    def take(self, endpoint: str, *, has_cursor: bool) -> Effect | None:
        """What befalls this request, if anything."""
        with self._lock:
            for name in (endpoint, "*"):
                queue = self._queues.get(name)
                if queue and queue[0].fault.counts(has_cursor=has_cursor):
                    return self._next(queue)
        return None

    @staticmethod
    def _next(queue: deque[_Turn]) -> Effect | None:
        turn = queue[0]
        effect = turn.fault.effect if turn.befalls() else None
        if turn.hits <= 0:
            queue.popleft()
        return effect
