"""What an answer of the console means. The status is read before the body.

A 429 may be a page of HTML, a 401 plain text, a 403 the word of a proxy; only an API error has a
JSON body with `errors[0].code`, whose first three digits are the HTTP status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from urllib.parse import urlsplit

import msgspec

from sentinelone_source.errors import (
    BadRequest,
    CursorLost,
    FeedRefused,
    Overloaded,
    Refused,
    Retriable,
    SourceError,
    Throttled,
    Unavailable,
)
from sentinelone_source.http.bodies import BrokenBody, decoded
from sentinelone_source.http.retry import retry_after

INSUFFICIENT_PERMISSIONS = 4030010
INVALID_VALUE = 4000010
_PERMISSIONS = {
    "activities": "Activity Page > View",
    "agents": "Endpoints > View",
    "cloud-detection/alerts": "Custom Alerts > View",
    "groups": "Groups > View",
    "threats": "Threats > View",
    "unifiedalerts/graphql": "Unified Alerts > View",
}
"""By endpoint, from SentinelOne's API reference, `Required permissions`."""
# How GraphQL servers word errors: the reference implementation, and graphql-java.
_QUERY = r"cannot query|is undefined|validation.?error|syntax|unknown (type|argument)|variable"
_PERMISSION = r"permission|forbidden|access.denied|not.(authori[sz]ed|allowed)|unauthori[sz]ed"
_MEANINGS: tuple[tuple[re.Pattern[str], type[SourceError], int], ...] = (
    (re.compile(_QUERY, re.IGNORECASE), BadRequest, 400),
    (re.compile(_PERMISSION, re.IGNORECASE), FeedRefused, 403),
    (re.compile(r"\bcursor\b", re.IGNORECASE), CursorLost, 400),
)


class Response(msgspec.Struct):
    """A page as it came over the wire: its body, compressed if it came so, and how.

    `clock` is the console's time when it was asked, microseconds since 1970, at the latest; None if
    it does not say.
    """

    endpoint: str
    content: bytes
    encoding: str
    clock: int | None

    def decoded(self) -> bytes:
        """The body as JSON text. Raises Unavailable if it cannot be decompressed."""
        try:
            return decoded(self.content, self.encoding)
        except BrokenBody as error:
            raise Unavailable(f"{self.endpoint}: {error}") from None


class _ApiError(msgspec.Struct):
    code: int | str | None = None
    title: str | None = None
    detail: str | None = None
    message: object = None


class _ApiErrors(msgspec.Struct):
    errors: list[_ApiError] = []


_read_errors = msgspec.json.Decoder(_ApiErrors).decode
"""Made once: threads that meet a type for the first time together crash in msgspec."""


def failure(endpoint: str, status: int, headers: Dict[str, str], body: bytes) -> SourceError:
    """The error that an answer other than 200 stands for."""
    error = _meaning(endpoint, status, headers, body)
    error.http_status = status
    return error


def _meaning(endpoint: str, status: int, headers: Dict[str, str], body: bytes) -> SourceError:
    code, words = _api_error(body)
    said = f"{endpoint}: HTTP {status}" + (f", {words}" if words else "")
    if status == 401:
        return Refused(f"{said}: the console does not accept the API token")
    if status == 501 or (status == 404 and body.lstrip().startswith(b"<")):
        return FeedRefused(f"{said}: this console has no such endpoint; check the console's url")
    if status == 403 and code == INSUFFICIENT_PERMISSIONS:
        return FeedRefused(said)
    if status in (400, 404) and code:
        is_cursor = code == INVALID_VALUE and "cursor" in words.lower()
        return CursorLost(said) if is_cursor else BadRequest(said)
    return _passing(status, said, headers)


def permission(endpoint: str) -> str:
    """The permission of a role that an endpoint needs, as the console shows it."""
    return _PERMISSIONS.get(endpoint, "that SentinelOne's API reference names for this endpoint")


def answer_error(endpoint: str, messages: list[str]) -> SourceError:
    """What an answer with HTTP 200 stands for that holds no records, but says why.

    Such answers have no code, so the words tell which error it is.
    """
    text = "; ".join(messages)
    said = f"{endpoint}: HTTP 200, error: {text}"
    for words, kind, status in _MEANINGS:
        if words.search(text):
            error = kind(said)
            error.http_status = status
            return error
    return Unavailable(said)


def _passing(status: int, said: str, headers: Dict[str, str]) -> Retriable:
    if 300 <= status < 400:
        said += f": moved to {_host(headers.get('Location', ''))}; correct the console's url"
    kind = Throttled if status == 429 else Overloaded if status >= 500 else Unavailable
    return kind(said, retry_after(headers))


def _api_error(body: bytes) -> tuple[int | None, str]:
    try:
        errors = _read_errors(body.decode("utf-8", "replace")).errors
    except (msgspec.DecodeError, RecursionError):
        return None, ""
    if not errors:
        return None, ""
    first = errors[0]
    parts = first.title, first.detail, first.message
    words = ": ".join(part for part in parts if part and isinstance(part, str))
    text = str(first.code)
    code = int(text) if text.isdecimal() and len(text) < 10 else None
    said = () if code is None else (f"code {code}",)
    return code, ", ".join((*said, *filter(None, (words,))))


def _host(location: str) -> str:
    try:
        return urlsplit(location).hostname or "another address"
    except ValueError:
        return "no address"
