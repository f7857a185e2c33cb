"""How many records an endpoint is asked for: fewer while it fails at more."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

SMALLEST = 10
"""Records; no page is asked for with fewer."""

_log = structlog.get_logger()


class PageSize:
    """The records a page for one endpoint of one console.

    A page that fails twice in a row is asked for with half as many records, then with a quarter,
    and so on. A size that works is doubled again; where its double fails, it stays for a while.

    Args:
        console: its name, for the log.
        endpoint: whose pages they are.
        hold: seconds that a size stays when its double has failed.
        clock: gives monotonic seconds.
    """

    def __init__(
        self, console: str, endpoint: str, hold: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._about = {"console": console, "endpoint": endpoint}
        self._hold = hold
        self._clock = clock
        self._size: int | None = None
        self._works: int | None = None
        self._failures = 0
        self._held_until = 0.0

    def of(self, wanted: int) -> int:
        """How many records to ask for where so many are wanted."""
        return wanted if self._size is None else min(wanted, self._size)

    def worked(self, asked: int, wanted: int) -> None:
        """There was an answer to a request for so many records."""
        self._failures = 0
        if self._size is None or asked != self.of(wanted):
            return
        self._works = asked
        if asked == wanted:
            self._size = self._works = None
        elif self._clock() >= self._held_until:
            self._size = 2 * asked

    def failed(self, asked: int, wanted: int) -> None:
        """The answer to a request for so many records was a 5xx, or did not come in time."""
        if asked != self.of(wanted):  # an older request
            return
        self._failures += 1
        shrinking = self._size is not None and self._works is None
        if asked <= SMALLEST or (self._failures < 2 and not shrinking):
            return
        if self._works is not None and self._works < asked:
            self._size, self._held_until = self._works, self._clock() + self._hold
        else:
            self._size, self._works = max(asked // 2, SMALLEST), None
        self._failures = 0
        _log.info("smaller_pages", **self._about, limit=self._size)
