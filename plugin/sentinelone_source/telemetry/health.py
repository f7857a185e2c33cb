"""Whether the process is alive, and whether it is ready. Neither says how the console is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from sentinelone_source.http.server import Reply


class ConsoleReadiness(Protocol):
    """A console, as far as readiness goes."""

    @property
    def name(self) -> str:
        """As in the configuration."""

    @property
    def answered(self) -> bool:
        """Whether it has accepted our token."""


class Heartbeat:
    """Beats as long as the event loop turns.

    Args:
        every: seconds between two beats.
        stuck_after: seconds without a beat after which the event loop counts as stuck.
    """

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


class Health:
    """What `/healthz` and `/readyz` say."""

    def __init__(
        self,
        heartbeat: Heartbeat,
        consoles: Sequence[ConsoleReadiness],
        unreachable: Callable[[], str],
    ) -> None:
        self._heartbeat = heartbeat
        self._consoles = consoles
        self._unreachable = unreachable

    def live(self, _: str) -> Reply:
        """200 while the event loop turns, whatever the console does."""
        age = self._heartbeat.age
        if age > self._heartbeat.stuck_after:
            reason = f"the event loop has not turned for {age:.0f} s"
            return _json(503, "stuck", reason=reason)
        return _json(200, "alive")

    def ready(self, _: str) -> Reply:
        """200 once a console has accepted our token, and somebody takes its rows."""
        answered = {console.name: console.answered for console in self._consoles}
        reason = "no console has answered an authenticated request yet"
        if any(answered.values()):
            reason = self._unreachable()
        if reason:
            return _json(503, "not ready", reason=reason, consoles=answered)
        return _json(200, "ready", consoles=answered)


def _json(code: int, status: str, **more: Any) -> Reply:
    return Reply(code, msgspec.json.encode({"status": status, **more}) + b"\n")
