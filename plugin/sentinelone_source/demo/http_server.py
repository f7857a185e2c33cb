"""HTTP of console and Azure: calls, answers, and a server that keeps connections, also over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from gzip import compress
from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import Final, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

from sentinelone_source.config.addresses import Address
from sentinelone_source.http.server import TrackingServer

EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True)
class Answer:
    """Status, body and headers, which go before those of the server."""

    status: int
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def packed(self, accepted: str) -> Answer:
        """With its body compressed, if the client accepts that."""
        if not self.body or "gzip" not in accepted:
            return self
        headers = (*self.headers, ("Content-Encoding", "gzip"))
        return replace(self, body=compress(self.body, 1, mtime=0), headers=headers)

    def send(self, handler: BaseHTTPRequestHandler, headers: Mapping[str, str]) -> None:
        """Write it with these headers of the server's; a header without a value is left out."""
        own = {
            "Content-Length": "" if self.status == 204 else str(len(self.body)),
            "Content-Type": self.content_type,
        }
        handler.send_response_only(self.status)
        for name, value in {**headers, **own, **dict(self.headers)}.items():
            if value:
                handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(self.body)


NO_CONTENT: Final = Answer(204, content_type=None)


@dataclass(frozen=True)
class Call:
    """A request to a server known as `base`; the headers' names are lower case.

    `target` is as it came: `/path?query`, or from a client of a proxy `https://host/path`.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    base: str
    handler: BaseHTTPRequestHandler

    @property
    def path(self) -> str:
        """Without the query."""
        target = self.target
        return target.partition("?")[0] if target.startswith("/") else urlsplit(target).path

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The decoded query."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        """The decoded query, the last value of each parameter."""
        return {name: values[-1] for name, values in self.parameters.items()}

    @property
    def form(self) -> dict[str, str]:
        """The body as an HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


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
