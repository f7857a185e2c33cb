"""What `[telemetry] listen` turns on: probes, and one listener for them, status page and metrics.

Probes say whether the process is alive, and whether it is ready. Neither says how the console is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from sentinelone_source.config.addresses import Address
from sentinelone_source.http.server import Application, Reply, Request, Server
from sentinelone_source.telemetry.metrics import Exposition
from sentinelone_source.telemetry.status_page import StatusPage

if TYPE_CHECKING:
    from sentinelone_source.console.console import Console
    from sentinelone_source.telemetry.source import Source

Pages = Mapping[str, Callable[[str], Reply]]
"""By path, what makes its reply from the request's `Accept` header."""

_log = structlog.get_logger()


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
        consoles: Sequence[Console],
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


def serve_pages(pages: Pages) -> Application:
    """An application that only reads: these pages, by their paths."""

    def answer(request: Request) -> Reply:
        if request.method not in ("GET", "HEAD"):
            return Reply(405, b'{"error": 405}\n', headers=(("Allow", "GET, HEAD"),))
        page = pages.get(request.path)
        if page is None:
            return Reply(404, b'{"error": 404}\n')
        try:
            return page(request.headers.get("Accept", ""))
        except Exception:  # noqa: BLE001 - a defect of ours is not the poller's end
            _log.exception("telemetry_failed", path=request.path)
            return Reply(500, b'{"error": 500}\n')

    return answer


@contextmanager
def serve_telemetry(address: Address, source: Source, where: str) -> Iterator[Heartbeat]:
    """Serve `/`, `/all`, `/healthz`, `/readyz` and `/metrics` until the end of the `with`.

    Args:
        where: the address's place in the configuration, for errors.

    Yields:
        the heartbeat that has to run in the event loop.

    Raises:
        ConfigError: nothing can listen there.
    """
    heartbeat = Heartbeat()
    health = Health(heartbeat, source.consoles, source.sink.unreachable)
    status = StatusPage(source, heartbeat)
    pages = {
        "/": status.overview,
        "/all": status.all_feeds,
        "/healthz": health.live,
        "/readyz": health.ready,
        "/metrics": Exposition(source).page,
    }
    with closing(Server("telemetry", address, serve_pages(pages), where)) as server:
        _log.info("listening", address=str(server.address), pages=list(pages))
        yield heartbeat
