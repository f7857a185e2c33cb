"""How often each endpoint may be asked, over all feeds of one token, and for how many records.

Figures: SentinelOne's own table of API limits per token, as published in its Go SDK
(s1buildpartners/sentinelone-go-sdk, `ratelimit.go`): requests a second, and how many at once.
Alerts and groups are not in it; they get the lowest figure of those that are.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from sentinelone_source.http.connections import Connections
from sentinelone_source.http.slots import Bound, Slots

_PUBLISHED = {"activities": (10.0, 30), "agents": (25.0, 1), "threats": (10.0, 50)}
_OTHERS = (10.0, 1)
SMALLEST = 10
"""Records; no page is asked for with fewer."""

_log = structlog.get_logger()


class Limit(Bound):
    """A bucket of permissions that fills at `rate` a second, up to `burst`."""

    def __init__(self, rate: float, burst: int) -> None:
        super().__init__()
        self._rate = rate
        self._burst = burst
        self._level = float(burst)
        self._filled_at = time.monotonic()
        self._closed_until = 0.0

    def wait(self) -> float:
        now = time.monotonic()
        self._level = min(self._burst, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now
        shut = self._closed_until - now
        return max(shut, (1 - self._level) / self._rate) if shut > 0 or self._level < 1 else 0.0

    def entered(self) -> None:
        self._level -= 1

    def close(self, seconds: float) -> None:
        """Give no permission for so long: the console said so."""
        self._closed_until = max(self._closed_until, time.monotonic() + seconds)


class Limits:
    """The limits of one token, by endpoint, with the slots and connections for all tokens."""

    def __init__(self, slots: Slots | None = None, connections: Connections | None = None) -> None:
        self.slots = slots or Slots(32)
        self.connections = connections
        self._limits: dict[str, Limit] = {}

    def of(self, endpoint: str) -> Limit:
        """The limit that an endpoint's requests share."""
        if endpoint not in self._limits:
            self._limits[endpoint] = Limit(*_PUBLISHED.get(endpoint, _OTHERS))
        return self._limits[endpoint]


class PageSize:
    """The records a page for one endpoint of one console.

    A page that fails twice in a row is asked for with half as many records, then with a quarter,
    and so on. A size that works is doubled again; where its double fails, it stays `hold` seconds.
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
        if asked != self.of(wanted):  # the answer to an older request
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
