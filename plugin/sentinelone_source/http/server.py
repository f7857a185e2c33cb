"""A small HTTP server in threads of its own; what it answers is a function of the request."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple

import structlog

from sentinelone_source.config.addresses import Address
from sentinelone_source.errors import ConfigError
from sentinelone_source.timings import DEFAULTS

MOST = 32
"""Connections at once; when one more comes, the oldest is ended."""
LONGEST_BODY = 65_536

_log = structlog.get_logger()


class Request(NamedTuple):
    """What a client asks for; `path` has no query.

    The body is None if it is too long, or its length is not said as it should be.
    """

    method: str
    path: str
    headers: Message
    body: bytes | None


class Reply(NamedTuple):
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


Application = Callable[[Request], Reply]


class TrackingServer(ThreadingMixIn, TCPServer):
    """Serves each connection in a thread, and knows all of them, so that it can end them."""

    name = "server"
    most = MOST
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: Address, handler: type[BaseHTTPRequestHandler]) -> None:
        self._lock = threading.Lock()
        self._begun: dict[socket.socket, float] = {}
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        self.address_family = found[0][0]
        super().__init__(found[0][4], handler)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:  # `[::]` listens on IPv4 too, on every system
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:
            time.sleep(0.1)  # no descriptor is left: the client waits, and this loop does not spin
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._begun[request] = time.monotonic()
            oldest = next(iter(self._begun)) if len(self._begun) > self.most else None
        if oldest is not None:
            _end(oldest)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._begun.pop(request, None)
        super().shutdown_request(request)

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
        if not isinstance(error, OSError | ValueError):  # ValueError: closed meanwhile
            _log.error("internal_error", where=self.name, exc_info=error)


class Server(TrackingServer):
    """Answers one request a connection, from when it is made until it is closed.

    Connections are counted, so that none lasts longer than `patience`, and they never become too
    many. Several threads call the application. Raises ConfigError, with `where` the configuration
    has the address, if nothing can listen there.
    """

    request_queue_size = MOST

    def __init__(
        self,
        name: str,
        address: Address,
        application: Application,
        where: str,
        patience: float = DEFAULTS.served_connection,
    ) -> None:
        self.name = name
        self.application = application
        self.patience = patience
        try:
            super().__init__(address, _Handler)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "no such host"
            raise ConfigError(f"{where}: cannot listen on {address}: {reason}") from None
        self.address = Address(address.host, self.socket.getsockname()[1])
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True, name=name).start()

    def close(self) -> None:
        """Take no further requests, and end those under way."""
        self.shutdown()
        self.server_close()
        self.end_older_than(0.0)

    def service_actions(self) -> None:
        self.end_older_than(self.patience)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One request, of any method."""

    server: Server
    protocol_version = "HTTP/1.1"
    error_content_type = "application/json"
    error_message_format = '{"error": %(code)d}\n'

    def setup(self) -> None:
        self.request.settimeout(self.server.patience)
        super().setup()

    def parse_request(self) -> bool:
        if super().parse_request():
            self._answer()
        return False  # the base class has nothing left to do

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        try:
            request = Request(self.command, path, self.headers, self._body())
            reply = self.server.application(request)
        except OSError:
            raise
        except Exception:  # noqa: BLE001 - a defect of ours is not the poller's end
            _log.exception("internal_error", where=self.server.name, path=path)
            reply = Reply(500, b'{"error": 500}\n')
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Connection", "close")
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "" if self.command == "POST" else "0")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            return None
        return self.rfile.read(int(length))

    def version_string(self) -> str:
        return "sentinelone-source"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""
