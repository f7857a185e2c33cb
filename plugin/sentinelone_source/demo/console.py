"""A SentinelOne console on loopback."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, Self

from sentinelone_source.demo.api import Api, Call
from sentinelone_source.demo.listener import Listener, reset_when_closed
from sentinelone_source.demo.transport import head, packed

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from sentinelone_source.demo.answers import Answer
    from sentinelone_source.demo.world import World

HOST: Final = "127.0.0.1"


class Console:
    """Serves a world over HTTP from threads of its own; a context manager.

    `tokens` is the set of those that are accepted. Stopped and started again, a console keeps its
    port.
    """

    def __init__(
        self,
        world: World,
        tokens: set[str],
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.world = world
        self.tokens = tokens
        self.port = port
        self._tls = tls
        self._api = Api(world, tokens)
        self._server: _Server | None = None
        self._stopping = Event()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}"

    def start(self) -> None:
        """Returns when requests can come."""
        self._stopping.clear()
        self._server = _Server((HOST, self.port), _Handler)
        self._server.console = self
        self.port = self._server.server_port
        if self._tls:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Ends all connections, kept-alive ones too; returns when the port is closed."""
        server, self._server = self._server, None
        if server is None:
            return
        self._stopping.set()
        server.shutdown()
        server.disconnect()
        server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def handle(self, call: Call) -> Answer:
        """Answers a call, compressed if the client accepts that."""
        return packed(self._api.answer(call), call.headers.get("accept-encoding", ""))


class _Server(Listener):
    console: Console


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        # the base class folds a leading double slash in `path`; the real console does not
        target = self.requestline.split()[1]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.console.handle(Call(self.command, target, headers, body)))

    do_POST = do_GET  # noqa: N815 - found by its name

    def _send(self, answer: Answer) -> None:
        sent = len(answer.body)
        if answer.ending != "keep":
            self.close_connection = True
            sent = max(0, min(answer.sent, sent - 1))
        if answer.ending == "reset":
            reset_when_closed(self.connection)
            if not answer.sent:
                return
        self.wfile.write(head(answer, self.server.console.world.now()))
        self.wfile.write(memoryview(answer.body)[:sent])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""
