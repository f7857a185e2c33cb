"""What `[telemetry] listen` turns on: one listener for probes and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from sentinelone_source.config.listen import Address
from sentinelone_source.telemetry.health import Health, Heartbeat
from sentinelone_source.telemetry.listener import Listener
from sentinelone_source.telemetry.metrics import Exposition, Source

_log = structlog.get_logger()


@contextmanager
def serve_telemetry(address: Address, source: Source, where: str) -> Iterator[Heartbeat]:
    """Serve `/healthz`, `/readyz` and `/metrics` until the end of the `with`.

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
    health = Health(heartbeat, source.consoles, source.way.unreachable)
    metrics = Exposition(source)
    pages = {"/healthz": health.live, "/readyz": health.ready, "/metrics": metrics.page}
    listener = Listener(address, pages, where)
    _log.info("listening", address=str(listener.address), pages=list(pages))
    try:
        yield heartbeat
    finally:
        listener.close()
