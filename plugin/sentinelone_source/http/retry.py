"""Trying again, with waits that grow. How long each wait is at first is in `timings`."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping

from sentinelone_source.errors import Retriable
from sentinelone_source.times import SECOND, parse_http_date
from sentinelone_source.timings import DEFAULTS


class Backoff:
    """Waits that grow from try to try: from `first` seconds, doubled each time, to `longest`.

    After `patience` seconds the last error stands; with None it never does.
    """

    def __init__(self, first: float, longest: float, patience: float | None) -> None:
        self._grown = first
        self._longest = longest
        self._deadline = None if patience is None else time.monotonic() + patience

    async def wait(self, error: Retriable) -> bool:
        """Wait for the next try; False where patience ends before it, and when it does."""
        wait = next_wait(self._grown, error.retry_after or 0.0)
        left = math.inf if self._deadline is None else self._deadline - time.monotonic()
        await asyncio.sleep(min(wait, left))
        self._grown = min(2 * self._grown, self._longest)
        return wait < left


def next_wait(grown: float, asked: float) -> float:
    """Seconds until the next try: what has grown, at most a quarter longer, or what is asked."""
    return max(grown * random.uniform(1.0, 1.25), min(asked, DEFAULTS.longest_obeyed))  # noqa: S311


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the `Retry-After` header asks for; None if it asks for nothing.

    A date in it is read against the answer's own `Date`; our clock may differ from that one.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    until = parse_http_date(text)
    if until is None:
        return None
    now = parse_http_date(headers.get("Date", ""))
    return max(0.0, until / SECOND - (time.time() if now is None else now / SECOND))
