"""A port: plain or TLS, opened and closed without losing its number."""

from __future__ import annotations

import select
import socket
from http.server import BaseHTTPRequestHandler
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from sentinelone_source.demo.answers import Answer
from sentinelone_source.demo.dce.bodies import BrokenBody, receive
from sentinelone_source.demo.dce.calls import Call
from sentinelone_source.demo.faults import Close, Hang, Reset, Say
from sentinelone_source.demo.listener import Listener, reset_when_closed

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from sentinelone_source.demo.faults import Effect

Reply = Answer | Reset | Close
"""An answer, or how the connection ends without one."""
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


class Line:
    """The connection that a call came over."""

    def __init__(self, connection: socket.socket, closing: Event) -> None:
        self._connection = connection
        self._closing = closing

    def hold(self, seconds: float) -> bool:
        """Stays silent; says whether the client still waits afterwards, and the door is open."""
        if self._closing.wait(seconds):
            return False
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return not poll.poll(0)


def spoiled(effect: Effect | None, line: Line, serve: Callable[[], Answer]) -> Reply:
    """What the script makes of a request that `serve` would answer."""
    if isinstance(effect, Reset):
        return effect
    if isinstance(effect, Hang) and not line.hold(effect.seconds):
        return Close(0)
    if isinstance(effect, Say):
        return effect.answer
    answer = serve()
    return effect if isinstance(effect, Close) else answer


class Door:
    """One port. Closed and opened again, it keeps its number."""

    def __init__(
        self,
        address: tuple[str, int],
        serve: Callable[[Call, Line], Reply],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port = address
        self.serve = serve
        self.closing = Event()
        self._tls = tls
        self._server: _Server | None = None

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self._tls else "http"

    @property
    def url(self) -> str:
        """Scheme, host and port; the certificate is for localhost, too."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        host = "localhost" if self._tls or self.host in _EVERYWHERE else host
        return f"{self.scheme}://{host}:{self.port}"

    def open(self) -> None:
        """Returns when requests can come.

        Raises:
            OSError: the port cannot be had; its `filename` is the address.
        """
        if self._server is not None:
            return
        self.closing.clear()
        try:
            self._server = _Server(self)
        except OSError as error:
            error.filename = f"{self.host}:{self.port}"
            raise
        self.port = self._server.server_port
        if self._tls:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Ends all connections, kept-alive ones too; returns when the port is closed."""
        server, self._server = self._server, None
        if server is None:
            return
        self.closing.set()
        server.shutdown()
        server.disconnect()
        server.server_close()


class _Server(Listener):
    def __init__(self, door: Door) -> None:
        self.door = door
        if ":" in door.host:
            self.address_family = socket.AF_INET6
        super().__init__((door.host, door.port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "loopback-azure"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        # the base class folds a leading double slash in `path`
        target = self.requestline.split()[1]
        headers = {name.lower(): value for name, value in self.headers.items()}
        door = self.server.door
        try:
            body, wire = receive(self.rfile, headers)
        except BrokenBody as error:
            self.send_error(400, str(error))
            return
        base = f"{door.scheme}://{headers.get('host') or door.url.partition('//')[2]}"
        call = Call(self.command, target, headers, body, wire, base)
        self._send(door.serve(call, Line(self.connection, door.closing)))

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - found by their names

    def _send(self, reply: Reply) -> None:
        if not isinstance(reply, Answer):
            self.close_connection = True
            if isinstance(reply, Reset):
                reset_when_closed(self.connection)
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.content_type:
            self.send_header("Content-Type", reply.content_type)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""
