"""The HTTP server of console and Azure: connections are kept, over plain TCP or TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import Final, Self

from sentinelone_source.config.addresses import Address
from sentinelone_source.demo.transport import Answer, Call
from sentinelone_source.http.server import TrackingServer

EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


class HttpServer:
    """One port; a context manager. Stopped and started again, it keeps its number."""

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
        self.scheme = "https" if tls else "http"
        self._tls = tls
        self._listener: _Listener | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        host = "localhost" if self.host in EVERYWHERE else host
        return f"{self.scheme}://{host}:{self.port}"

    def start(self) -> None:
        """Returns when requests can come. Raises OSError, with the address as its `filename`."""
        if self._listener is not None:
            return
        try:
            listener = _Listener(Address(self.host, self.port), _DemoHandler)
        except OSError as error:
            error.filename = f"{self.host}:{self.port}"
            raise
        self._listener, listener.owner, listener.name = listener, self, self.name
        self.port = listener.socket.getsockname()[1]
        if self._tls:
            listener.socket = self._tls.wrap_socket(
                listener.socket, server_side=True, do_handshake_on_connect=False
            )
        Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Ends all connections, kept-alive ones too; returns when the port is closed."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown()
            listener.end_older_than(0.0)
            listener.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Listener(TrackingServer):
    owner: HttpServer
    most = 1024


class _DemoHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        owner = self.server.owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0").strip()
        if "transfer-encoding" in headers or not length.isdecimal():
            self.send_error(411)
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionError("the client went away")
        # the base class removes one slash of a leading `//`; real servers do not
        target = self.requestline.split()[1]
        base = f"{owner.scheme}://{headers.get('host', 'localhost')}"
        answer = owner.respond(Call(self.command, target, headers, body, base, self))
        date = self.date_time_string(owner.now().timestamp())
        answer.send(self, {"Server": owner.name, "Date": date})

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - found by their names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""
