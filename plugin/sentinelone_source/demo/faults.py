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

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinelone_source.demo.answers import Answer

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
class Hang:
    """Silence for so many seconds, then the API's answer."""

    seconds: float


Effect = Say | Reset | Close | Hang


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


def say(endpoint: str, answer: Answer, **when: Unpack[When]) -> Fault:
    """A whole answer of one's own."""
    return Fault(endpoint, Say(answer), **when)


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
