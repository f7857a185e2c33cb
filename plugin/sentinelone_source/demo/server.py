"""A SentinelOne console on loopback."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypedDict, Unpack

from .api import Api, Behaviour, Call, Rate
from .faults import Fault, Hang, Reset, Say, Script
from .listener import Listener, reset_when_closed
from .wire import Delivery, deliver

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable
    from datetime import datetime
    from types import TracebackType

    from .endpoints import Name
    from .world import World

HOST: Final = "127.0.0.1"


class Switches(TypedDict, total=False):
    """The fields of `Behaviour`, as keywords of `Console`."""

    forbidden: set[Name]
    latency: float
    rates: dict[Name, Rate]
    strict_cursors: bool
    short_pages: bool
    empty_last_page: bool
    ascii_json: bool
    gzip_level: int
    token_expires: datetime | None


class Request(NamedTuple):
    """A request that came in. `status` is 0 when the connection was reset before an answer."""

    time: float
    endpoint: str
    query: dict[str, list[str]]
    status: int


class Console:
    """Serves a world over HTTP from threads of its own; a context manager.

    `tokens` is the set to revoke from and `behaviour` the switches, both while it runs.
    `requests` holds what came in, with `time.monotonic()`. Stopped and started again, a console
    keeps its port. Tokens appear nowhere but in `tokens`.
    """

    def __init__(
        self,
        world: World,
        tokens: set[str],
        faults: Iterable[Fault] = (),
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        **switches: Unpack[Switches],
    ) -> None:
        self.world = world
        self.tokens = tokens
        self.faults = Script(faults)
        self.behaviour = Behaviour(**switches)
        self.requests: list[Request] = []
        self.port = port
        self._tls = tls
        self._api = Api(world, tokens, self.behaviour)
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

    def handle(self, call: Call) -> Delivery:
        """Answers a call, or spoils the answer if the script says so, and remembers it."""
        asked_at, parameters = monotonic(), call.parameters
        effect = self.faults.take(call.endpoint, has_cursor="cursor" in parameters)
        answer = effect.answer if isinstance(effect, Say) else self._api.answer(call)
        is_silent = isinstance(effect, Reset) and not effect.after_bytes
        status = 0 if is_silent else answer.status
        self.requests.append(Request(asked_at, call.endpoint, parameters, status))
        pause = self.behaviour.latency + (effect.seconds if isinstance(effect, Hang) else 0)
        if pause:
            self._stopping.wait(pause)
        return deliver(answer, call, effect, self.behaviour.gzip_level)


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

    def _send(self, delivery: Delivery) -> None:
        if delivery.ending != "keep":
            self.close_connection = True
        if delivery.ending == "reset":
            reset_when_closed(self.connection)
            if not delivery.sent:
                return
        now = self.server.console.world.now()
        self.wfile.write(delivery.head(now))
        self.wfile.write(memoryview(delivery.answer.body)[: delivery.sent])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""
