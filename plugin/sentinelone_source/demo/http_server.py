"""One small threaded HTTP server for console and Azure: calls in, answers out, plain or TLS."""

from __future__ import annotations

import select
import socket
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from sentinelone_source.demo.bodies import UnreadableBody, receive
from sentinelone_source.demo.listener import Listener, reset_when_closed
from sentinelone_source.demo.transport import Call

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from sentinelone_source.demo.transport import Answer

_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


class HttpServer:
    """One port. Closed and opened again, it keeps its number."""

    def __init__(
        self,
        address: tuple[str, int],
        respond: Callable[[Call], Answer],
        tls: ssl.SSLContext | None = None,
        *,
        name: str = "nginx",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.host, self.port = address
        self.respond, self.name, self.now = respond, name, now
        self.closing = Event()
        self._tls = tls
        self._listener: _Listener | None = None

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self._tls else "http"

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        host = "localhost" if self.host in _EVERYWHERE else host
        return f"{self.scheme}://{host}:{self.port}"

    def open(self) -> None:
        """Returns when requests can come.

        Raises:
            OSError: the port cannot be had; its `filename` is the address.
        """
        if self._listener is not None:
            return
        self.closing.clear()
        try:
            self._listener = _Listener(self)
        except OSError as error:
            error.filename = f"{self.host}:{self.port}"
            raise
        self.port = self._listener.server_port
        if self._tls:
            self._listener.socket = self._tls.wrap_socket(
                self._listener.socket, server_side=True, do_handshake_on_connect=False
            )
        Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Ends all connections, kept-alive ones too; returns when the port is closed."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self.closing.set()
            listener.shutdown()
            listener.disconnect()
            listener.server_close()


class _Listener(Listener):
    owner: HttpServer

    def __init__(self, owner: HttpServer) -> None:
        self.owner = owner
        if ":" in owner.host:
            self.address_family = socket.AF_INET6
        super().__init__((owner.host, owner.port), _DemoHandler)


class _DemoHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        server = self.server.owner
        # the base class folds a leading double slash in `path`; real servers do not
        target = self.requestline.split()[1]
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body, wire = receive(self.rfile, headers)
        except UnreadableBody as error:
            self.send_error(400, str(error))
            return
        host = headers.get("host")
        base = f"{server.scheme}://{host}" if host else server.url
        call = Call(self.command, target, headers, body, wire, base, self._hold)
        self._send(server.respond(call))

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - found by their names

    def _hold(self, seconds: float) -> bool:
        if self.server.owner.closing.wait(seconds):
            return False
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        return not poll.poll(0)

    def _send(self, answer: Answer) -> None:
        body = memoryview(answer.body)
        if answer.ending != "keep":
            self.close_connection = True
            if answer.ending == "reset":
                reset_when_closed(self.connection)
            if answer.sent is None:
                return
            body = body[: max(0, min(answer.sent, len(body) - 1))]
        server = self.server.owner
        self.wfile.write(answer.head(server.name, server.now()))
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""
