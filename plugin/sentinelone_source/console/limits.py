"""How often each endpoint may be asked, over all feeds of one token.

Figures: SentinelOne's own table of API limits per token, as published in its Go SDK
(s1buildpartners/sentinelone-go-sdk, `ratelimit.go`): requests a second, and how many at once.
Alerts and groups are not in it; they get the lowest figure of those that are.
"""

from __future__ import annotations

import time

from sentinelone_source.http.connections import Connections
from sentinelone_source.http.slots import Bound, Slots

_PUBLISHED = {"activities": (10.0, 30), "agents": (25.0, 1), "threats": (10.0, 50)}
_OTHERS = (10.0, 1)


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
        """Seconds until there is a permission."""
        now = time.monotonic()
        self._level = min(self._burst, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now
        shut = self._closed_until - now
        return max(shut, (1 - self._level) / self._rate) if shut > 0 or self._level < 1 else 0.0

    def entered(self) -> None:
        """A permission is used."""
        self._level -= 1

    def close(self, seconds: float) -> None:
        """Give no permission for so long: the console said so."""
        self._closed_until = max(self._closed_until, time.monotonic() + seconds)


class Limits:
    """The limits of one token, by endpoint.

    Args:
        slots: for the requests with all tokens; room for 32 if none are given.
        connections: of these requests; each console has its own if none are given.
    """

    def __init__(self, slots: Slots | None = None, connections: Connections | None = None) -> None:
        self.slots = slots or Slots(32)
        self.connections = connections
        self._limits: dict[str, Limit] = {}

    def of(self, endpoint: str) -> Limit:
        """The limit that an endpoint's requests share."""
        if endpoint not in self._limits:
            self._limits[endpoint] = Limit(*_PUBLISHED.get(endpoint, _OTHERS))
        return self._limits[endpoint]
