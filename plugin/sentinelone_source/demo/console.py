"""A SentinelOne console on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from sentinelone_source.demo.api import Api
from sentinelone_source.demo.http_server import HttpServer

if TYPE_CHECKING:
    import ssl

    from sentinelone_source.demo.transport import Answer, Call
    from sentinelone_source.demo.world import World

HOST: Final = "127.0.0.1"


class DemoConsole:
    """Serves a world over HTTP from threads of its own; a context manager.

    `tokens` is the set of those that are accepted. Stopped and started again, it keeps its port.
    """

    def __init__(
        self, world: World, tokens: set[str], *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.world = world
        self.tokens = tokens
        self.api = Api(world, tokens)
        self._server = HttpServer((HOST, port), self.handle, tls, now=world.now)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return self._server.url

    @property
    def port(self) -> int:
        """Of the loopback address."""
        return self._server.port

    def start(self) -> None:
        """Returns when requests can come."""
        self._server.open()

    def stop(self) -> None:
        """Ends all connections, kept-alive ones too; returns when the port is closed."""
        self._server.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def handle(self, call: Call) -> Answer:
        """Answers a call, compressed if the client accepts that."""
        return self.api.answer(call).packed(call.headers.get("accept-encoding", ""))
