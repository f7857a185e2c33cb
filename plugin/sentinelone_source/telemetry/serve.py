"""What `[telemetry] listen` turns on: one listener for the status page, probes and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import structlog

from sentinelone_source.config.addresses import Address
from sentinelone_source.http.server import Application, Reply, Request, Server
from sentinelone_source.telemetry.exposition import Exposition
from sentinelone_source.telemetry.health import Health, Heartbeat
from sentinelone_source.telemetry.metrics import Source
from sentinelone_source.telemetry.status_page import StatusPage

Pages = Mapping[str, Callable[[str], Reply]]
"""By path, what makes its reply from the request's `Accept` header."""

_log = structlog.get_logger()


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
        address: where to listen.
        source: what there is to know.
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
    server = Server("telemetry", address, serve_pages(pages), where)
    _log.info("listening", address=str(server.address), pages=list(pages))
    try:
        yield heartbeat
    finally:
        server.close()
