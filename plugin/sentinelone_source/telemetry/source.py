"""What there is to know about a running source: its counts, the last hour, the last errors."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import structlog
from structlog.typing import EventDict

from sentinelone_source.console.console import Console
from sentinelone_source.feed.feed import Feed
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Sink

MINUTES = 60
_MOST = (1 << 32) - 1
_HOURLY = {"feed_refused", "feed_not_understood"}
_REFUSALS = {"refused", *_HOURLY}
_PASSING = {"retry", "handover_retry", "table_refused"}
_LASTS = 300.0
"""Seconds that an error counts which is logged again for as long as it goes on."""
_NEXT_TRY = {
    "retry": "within a minute",
    "restart": "within seconds",
    "sweep_failed": "with the next sweep",
    "handover_retry": "within a minute",
    "table_refused": "within a minute",
    **dict.fromkeys(_HOURLY, "within an hour"),
}


class RowHistory:
    """What each feed handed over in each of the last minutes; four bytes a minute and feed."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = feeds
        self._totals = deque([self._now()] * MINUTES, maxlen=MINUTES)

    async def run(self, every: float = 60.0) -> None:
        """Look once a minute, until cancelled."""
        while True:
            await asyncio.sleep(every)
            self.look()

    def look(self) -> None:
        """A minute has passed."""
        self._totals.append(self._now())

    def of(self, number: int) -> list[int]:
        """Rows of a feed by minute, the minute under way last."""
        totals = [minute[number] for minute in self._totals.copy()]
        totals.append(self._feeds[number].counts.rows)
        return [(end - begin) & _MOST for begin, end in pairwise(totals)]

    def _now(self) -> array[int]:
        return array("I", (feed.counts.rows & _MOST for feed in self._feeds))


class Trouble(NamedTuple):
    """An error that was logged, and when (unix seconds); `refusal` means that a person has to act.

    It counts `until` then, or until a sweep has ended. `next_try` is for people.
    """

    at: float
    error: str
    next_try: str
    until: float
    refusal: bool


NO_TROUBLE = Trouble(0.0, "", "", 0.0, refusal=False)


class Troubles:
    """Reads the log as it is written; one error a feed, and one a console, is kept."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Trouble] = {}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Within: errors are kept."""
        before = structlog.get_config()["processors"]
        structlog.configure(processors=[self._record, *before])
        try:
            yield
        finally:
            structlog.configure(processors=before)

    def of(self, console: str, feed: str) -> Trouble:
        """The last error of a feed, its console's included."""
        found = (self._last.get(key, NO_TROUBLE) for key in ((console, feed), (console, "")))
        return max(found, key=lambda trouble: (trouble.until, trouble.at))

    def _record(self, _: Any, level: str, told: EventDict) -> EventDict:
        """A processor of structlog; it changes nothing."""
        event = structlog.contextvars.get_contextvars() | dict(told)
        console, feed = event.get("console"), event.get("feed", "")
        if console and event["event"] == "swept":
            for key in ((console, feed), (console, "")):
                if key in self._last:
                    self._last[key] = self._last[key]._replace(until=0.0)
        elif console and level in ("warning", "error") and event.get("error"):
            is_consoles = event["event"] == "refused" and "endpoint" not in event
            self._last[console, "" if is_consoles else feed] = _trouble(event)
        return told


def _trouble(event: dict[str, Any]) -> Trouble:
    now, name, asked = time.time(), event["event"], event.get("retry_after")
    lasts = max(_LASTS, 2 * (asked or 0.0)) if name in _PASSING else float("inf")
    next_try = event.get("next_try") or _NEXT_TRY.get(name, "")
    if asked:
        next_try = f"after {asked:.0f} s, as the server asked"
    return Trouble(now, str(event["error"]), next_try, now + lasts, name in _REFUSALS)


class Heartbeat:
    """Beats `every` so many seconds, as long as the event loop turns: without, it is stuck."""

    def __init__(self, every: float = 1.0, stuck_after: float = 30.0) -> None:
        self._every = every
        self.stuck_after = stuck_after
        self._at = time.monotonic()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._at = time.monotonic()
            await asyncio.sleep(self._every)

    @property
    def age(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._at


@dataclass
class Source:
    """A running source."""

    dead_letters: DeadLetters
    feeds: Sequence[Feed]
    consoles: Sequence[Console]
    sink: Sink

    def __post_init__(self) -> None:
        self.troubles = Troubles()
        self.history = RowHistory(self.feeds)
        self.heartbeat = Heartbeat()
        self._waited: dict[str, float] = {}

    def waiting(self) -> dict[str, float]:
        """By mapping, how long the hand-over under way has been waiting."""
        began, now = self.sink.waiting, time.monotonic()
        return {one.name: max(0.0, now - began.get(one.name, now)) for one in self.feeds}

    def refused(self) -> set[str]:
        """Mappings of whose rows the shipper takes none, from one console at least."""
        return {mapping for _, mapping in self.sink.refused.copy()}

    def waited(self) -> dict[str, float]:
        """By mapping, time spent handing over; never less than it was."""
        done = self.sink.waited.copy()
        for name, going_on in self.waiting().items():
            so_far = done.get(name, 0.0) + going_on
            self._waited[name] = max(self._waited.get(name, 0.0), so_far)
        return self._waited
