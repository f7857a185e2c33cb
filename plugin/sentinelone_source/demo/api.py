"""The management API as a function from call to answer; no sockets here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinelone_source.demo import pages, query, unified_alerts
from sentinelone_source.demo.cursors import InvalidCursorError
from sentinelone_source.demo.endpoints import BASE, BY_PATH
from sentinelone_source.demo.timestamps import text
from sentinelone_source.demo.transport import Answer

if TYPE_CHECKING:
    from sentinelone_source.demo.transport import Call
    from sentinelone_source.demo.world import World

_TOKEN_LIFE: Final = timedelta(days=365)
_AGE_OF_TOKENS: Final = timedelta(days=30)
_DETAILS: Final = ("POST", "users/api-token-details")
_UNIFIED: Final = ("POST", unified_alerts.PATH)


def data(value: object) -> Answer:
    """200 with `data`."""
    return Answer(200, msgspec.json.encode({"data": value}))


def failure(
    code: int, title: str, detail: str | None, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """An error as the API words it; the code's first three digits are the status."""
    error: dict[str, Any] = {"code": code, "detail": detail, "title": title}
    return Answer(code // 10_000, msgspec.json.encode({"errors": [error]}), headers=headers)


def _invalid(detail: str) -> Answer:
    return failure(4000010, "Validation Error", detail)


UNAUTHENTICATED: Final = failure(4010010, "Authentication Failed", None)
NOT_FOUND: Final = failure(4040010, "Not Found", "The requested URL was not found")
INVALID_CURSOR: Final = _invalid("Invalid cursor value received")
LOGIN_PAGE: Final = Answer(
    200,
    b"<html><head><title>Management console: log in</title></head><body></body></html>\r\n",
    "text/html; charset=utf-8",
)
_CHECKS: Final = {
    ("GET", "system/info"): data(
        {"build": "412", "patch": "7", "release": "Xylo", "version": "X-26.1.7"}
    ),
    ("GET", "users/viewer-auth-check"): data({"success": True}),
}


class Api:
    """Answers calls about one world, to those who have one of the tokens."""

    def __init__(self, world: World, tokens: set[str]) -> None:
        self._world = world
        self._tokens = tokens

    def answer(self, call: Call) -> Answer:
        """What the console says; never raises."""
        path = call.path.removeprefix(BASE)
        if path == "/login":
            return LOGIN_PAGE
        if path == "system/status":
            return data({"health": "ok"})
        asked = call.method, path
        is_list = call.method == "GET" and path in BY_PATH
        if not (is_list or asked in _CHECKS or asked in (_DETAILS, _UNIFIED)):
            return NOT_FOUND
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        schemes = ("ApiToken", "Bearer") if asked == _UNIFIED else ("ApiToken",)
        if scheme not in schemes or token not in self._tokens:
            return UNAUTHENTICATED
        if is_list:
            return self._list(path, call)
        return self._posted(asked, call.body) or _CHECKS[asked]

    def _posted(self, asked: tuple[str, str], body: bytes) -> Answer | None:
        if asked == _UNIFIED:
            return unified_alerts.answer(self._world, body)
        return self._details(body) if asked == _DETAILS else None

    def _details(self, body: bytes) -> Answer:
        try:
            known = msgspec.json.decode(body)["data"]["apiToken"] in self._tokens
        except (msgspec.DecodeError, LookupError, TypeError):
            known = False
        if not known:
            return _invalid("data.apiToken: Not a valid token")
        created = self._world.now() - _AGE_OF_TOKENS
        return data({"createdAt": text(created), "expiresAt": text(created + _TOKEN_LIFE)})

    def _list(self, path: str, call: Call) -> Answer:
        endpoint = BY_PATH[path]
        try:
            asked = query.read(call.parameters, endpoint)
        except query.InvalidQueryError as error:
            return _invalid(str(error))
        except InvalidCursorError:
            return INVALID_CURSOR
        return Answer(200, pages.build(self._world, endpoint, asked))
