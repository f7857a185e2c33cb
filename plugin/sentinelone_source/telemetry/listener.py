"""HTTP for probes and scrapes: small, in threads of its own, and no burden of the event loop's."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple

import structlog

from sentinelone_source.config.listen import Address
from sentinelone_source.errors import ConfigError

PATIENCE = 10.0
"""Seconds that a connection may last."""
MOST = 32
"""Connections at once; when one more comes, the oldest is ended."""

_log = structlog.get_logger()


class Reply(NamedTuple):
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "application/json"


Pages = Mapping[str, Callable[[str], Reply]]
"""By path, what makes its reply from the request's `Accept` header."""


class Listener:
    """Serves pages from when it is made until it is closed.

    Args:
        address: where to listen.
        pages: what to serve.
        where: the address's place in the configuration, for errors.

    Raises:
        ConfigError: nothing can listen there.
    """

    def __init__(self, address: Address, pages: Pages, where: str) -> None:
        try:
            self._server = _Server(address, pages)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "no such host"
            raise ConfigError(f"{where}: cannot listen on {address}: {reason}") from None
        self.address = Address(address.host, self._server.socket.getsockname()[1])
        threading.Thread(
            target=self._server.serve_forever, args=(0.1,), daemon=True, name="telemetry"
        ).start()

    def close(self) -> None:
        """Take no further requests, and end those under way."""
        self._server.shutdown()
        self._server.server_close()
        self._server.end_older_than(0.0)


class _Server(ThreadingMixIn, TCPServer):
    """Knows its connections, so that none of them lasts, and they never become too many."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = MOST

    def __init__(self, address: Address, pages: Pages) -> None:
        self.pages = pages
        self._lock = threading.Lock()
        self._begun: dict[socket.socket, float] = {}
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        self.address_family = found[0][0]
        super().__init__(found[0][4], _Handler)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:  # `[::]` stands for IPv4 too, on every system
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._begun[request] = time.monotonic()
            oldest = next(iter(self._begun)) if len(self._begun) > MOST else None
        if oldest is not None:
            _end(oldest)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._begun.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        self.end_older_than(PATIENCE)

    def end_older_than(self, seconds: float) -> None:
        """End connections that have lasted so long."""
        latest = time.monotonic() - seconds
        with self._lock:
            old = [connection for connection, begun in self._begun.items() if begun <= latest]
        for connection in old:
            _end(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Clients go away: that is no error, anything else is one of ours."""
        error = sys.exception()
        if not isinstance(error, OSError | ValueError):  # ValueError: ended under the handler
            _log.error("telemetry_failed", exc_info=error)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Server
    timeout = PATIENCE
    error_content_type = "application/json"
    error_message_format = '{"error": %(code)d}\n'

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self.command in ("GET", "HEAD"):
            return True
        self._answer(Reply(405, b'{"error": 405}\n'), ("Allow", "GET, HEAD"))
        return False

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self._answer(Reply(404, b'{"error": 404}\n'))
            return
        try:
            reply = page(self.headers.get("Accept", ""))
        except Exception:  # noqa: BLE001 - a defect of ours is not the poller's end
            _log.exception("telemetry_failed", path=self.path)
            reply = Reply(500, b'{"error": 500}\n')
        self._answer(reply)

    do_HEAD = do_GET  # noqa: N815 - found by its name

    def _answer(self, reply: Reply, *headers: tuple[str, str]) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def version_string(self) -> str:
        return "sentinelone-source"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""
