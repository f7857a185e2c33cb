"""A SentinelOne console on loopback: the management API over a world."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import Any, Final

import msgspec

from sentinelone_source.demo import listing, unified_alerts
from sentinelone_source.demo.endpoints import BASE, BY_PATH, InvalidQuery
from sentinelone_source.demo.golden import text
from sentinelone_source.demo.http_server import Answer, Call, HttpServer
from sentinelone_source.demo.world import DemoWorld

HOST: Final = "127.0.0.1"
_TOKEN_DETAILS: Final = "users/api-token-details"  # noqa: S105 - a path
_TOKEN_LIFE: Final = timedelta(days=365)
_TOKEN_AGE: Final = timedelta(days=30)


def failure(code: int, title: str, detail: str | None) -> Answer:
    """An error as the API words it; the code's first three digits are the status."""
    error: dict[str, Any] = {"code": code, "detail": detail, "title": title}
    return Answer(code // 10_000, msgspec.json.encode({"errors": [error]}))


UNAUTHENTICATED: Final = failure(4010010, "Authentication Failed", None)
_NOT_FOUND: Final = failure(4040010, "Not Found", "The requested URL was not found")


class DemoConsole(HttpServer):
    """Shows a world to those who have one of the tokens, from threads of its own."""

    def __init__(
        self,
        world: DemoWorld,
        tokens: set[str],
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__((HOST, port), self.handle, tls, now=world.now)
        self.world = world
        self.tokens = tokens

    def handle(self, call: Call) -> Answer:
        """Answers a call, compressed if the client accepts that."""
        return self.answer(call).packed(call.headers.get("accept-encoding", ""))

    def answer(self, call: Call) -> Answer:
        """What the API answers."""
        path = call.path.removeprefix(BASE)
        is_unified = path == unified_alerts.PATH
        posted = (_TOKEN_DETAILS, unified_alerts.PATH)
        if path not in (BY_PATH if call.method == "GET" else posted):
            return _NOT_FOUND
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        schemes = ("ApiToken", "Bearer") if is_unified else ("ApiToken",)
        if scheme not in schemes or token not in self.tokens:
            return UNAUTHENTICATED
        if call.method == "GET":
            return self._list(path, call)
        if is_unified:
            return unified_alerts.answer(self.world, call.body)
        return self._token_details(call.body)

    def _list(self, path: str, call: Call) -> Answer:
        try:
            return Answer(200, listing.page(self.world, BY_PATH[path], call.parameters))
        except InvalidQuery as error:
            return failure(4000010, "Validation Error", str(error))

    def _token_details(self, body: bytes) -> Answer:
        try:
            is_known = msgspec.json.decode(body)["data"]["apiToken"] in self.tokens
        except (msgspec.DecodeError, LookupError, TypeError):
            is_known = False
        if not is_known:
            return failure(4000010, "Validation Error", "data.apiToken: Not a valid token")
        created = self.world.now() - _TOKEN_AGE
        told = {"createdAt": text(created), "expiresAt": text(created + _TOKEN_LIFE)}
        return Answer(200, msgspec.json.encode({"data": told}))
