"""The last error of each feed: what the log says, kept for those who look later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import structlog
from structlog.typing import EventDict

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


class Trouble(NamedTuple):
    """An error that was logged.

    Attributes:
        at: when, unix seconds.
        error: its sentence.
        next_try: when the request is made again, in words.
        until: how long it counts, if no sweep has ended before.
        refusal: a person has to act.
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
