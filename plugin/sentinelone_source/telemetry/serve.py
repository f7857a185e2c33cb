"""What `[telemetry] listen` turns on: probes, and one listener for them, status page and metrics.

Probes say whether the process is alive, and whether it is ready. Neither says how the console is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import msgspec
import structlog

from sentinelone_source.config.addresses import Address
from sentinelone_source.http.server import Application, Reply, Request, Server
from sentinelone_source.telemetry.metrics import Exposition
from sentinelone_source.telemetry.source import Heartbeat, Source
from sentinelone_source.telemetry.status_page import StatusPage

Pages = Mapping[str, Callable[[str], Reply]]
"""By path, what makes its reply from the request's `Accept` header."""

_log = structlog.get_logger()


def live(heartbeat: Heartbeat) -> Reply:
    """200 while the event loop turns, whatever the console does."""
    if (age := heartbeat.age) > heartbeat.stuck_after:
        return _json(503, "stuck", reason=f"the event loop has not turned for {age:.0f} s")
    return _json(200, "alive")


def _ready(source: Source) -> Reply:
    """200 once a console has accepted our token, and somebody takes its rows."""
    answered = {console.name: console.answered for console in source.consoles}
    reason = "no console has answered an authenticated request yet"
    if any(answered.values()):
        reason = source.sink.unreachable()
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
def serve_telemetry(address: Address, source: Source, where: str) -> Iterator[None]:
    """Serve a source, whose heartbeat has to run, in the `with`. Raises ConfigError for `where`."""
    status = StatusPage(source)
    pages = {
        "/": status.overview,
        "/all": status.all_feeds,
        "/healthz": lambda _: live(source.heartbeat),
        "/readyz": lambda _: _ready(source),
        "/metrics": Exposition(source).page,
    }
    with closing(Server("telemetry", address, serve_pages(pages), where)) as server:
        _log.info("listening", address=str(server.address), pages=list(pages))
        yield
