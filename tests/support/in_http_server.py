"""The sockets of the stand-in for `in_http`: connections, requests, answers."""

from __future__ import annotations

from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final

from doubles.connections import reset
from sentinelone_source.http.server import TrackingServer
from support.in_http_body import ParsedBody, inflate, read, tag_of

if TYPE_CHECKING:
    from support.in_http import InHttp

_REASONS: Final = {201: "Created", 400: "Bad Request", 401: "Unauthorized"}


@dataclass(frozen=True)
class Post:
    """A request that came in whole. `status` is 0 where the connection was reset.

    Attributes:
        size: bytes of the body before gzip.
        rows: how many of them were stored.
    """

    tag: str
    headers: dict[str, str]
    size: int
    status: int
    rows: int


class InHttpServer(TrackingServer):
    """Knows whom it plays, and refuses everybody while that is paused."""

    shipper: InHttp
    most = 1024

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        if self.shipper.paused:
            reset(request)
            return False
        return True


class InHttpHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: InHttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        shipper, tag = self.server.shipper, tag_of(self.requestline.split()[1])
        length = int(self.headers.get("Content-Length") or 0)
        if length >= shipper.limit:
            self.rfile.read(shipper.limit)
            self._send(413)  # while there may be more to come: the sender may see a reset instead
            self.close_connection = True
            return
        body = self._body(length)
        fault = shipper.fault(tag)
        if fault:
            shipper.stopping.wait(fault.wait)
        plain, reading, rows = body, ParsedBody(fault.status if fault else 0), 0
        if not shipper.paused and (not fault or fault.stored):
            plain, reading = self._judge(body)
            rows = shipper.store(tag, reading)
        code = fault.status if fault else reading.status
        headers = {name.lower(): value for name, value in self.headers.items()}
        shipper.posts.append(Post(tag, headers, len(plain), code, rows))
        self._answer(code)

    def do_GET(self) -> None:
        self._body(int(self.headers.get("Content-Length") or 0))
        self._send(400, b"error: invalid HTTP method\n")

    do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - found by their names

    def _body(self, length: int) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionError("the sender has gone")
            return body
        body = b""
        while size := int(self.rfile.readline() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _judge(self, body: bytes) -> tuple[bytes, ParsedBody]:
        if not self.server.shipper.allows(self.headers.get("Authorization", "")):
            return body, ParsedBody(401)
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # Fluent Bit answers such a request twice, and so do we: the second waits on the
            # connection for whoever uses it next
            self._send(400, b"error: invalid 'Content-Type'\n")
            return body, ParsedBody(400)
        plain = inflate(body, self.headers.get("Content-Encoding", ""))
        if plain is None:
            return body, ParsedBody(400)
        refuses = self.server.shipper.refuses
        return plain, ParsedBody(400) if refuses and refuses in plain else read(plain)

    def _answer(self, code: int) -> None:
        if code == 0:
            self.close_connection = True
            reset(self.connection)
        else:
            self._send(code, b"error: unable to process records\n" if code == 400 else b"")

    def _send(self, code: int, body: bytes = b"") -> None:
        head = (
            f"HTTP/1.1 {code} {_REASONS.get(code, 'Unknown')}\r\n"
            f"server: Fluent Bit\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.wfile.write(head.encode() + body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""
