"""One console: a connection that knows its address, its token and its certificates."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, Self

from sentinelone_source.config.defaults import ConsoleTable
from sentinelone_source.console.responses import Response, failure
from sentinelone_source.console.token import ApiToken
from sentinelone_source.errors import SourceError, Unavailable
from sentinelone_source.http.bodies import BrokenBody, decoded
from sentinelone_source.http.client import HttpClient, proxies_for
from sentinelone_source.http.connections import Connections, trusted
from sentinelone_source.times import SECOND, parse_http_date
from sentinelone_source.timings import DEFAULTS, Timings

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict
    from collections.abc import Sequence

    import requests

_LONGEST_ERROR = 65_536
_SCOPE = {"site_ids": "siteIds", "account_ids": "accountIds", "group_ids": "groupIds"}
"""Scope filters of a console, and their query parameters."""


class PageQuery(Protocol):
    """A page that is asked for: of a list by GET, with parameters, or by POST of a document."""

    @property
    def size(self) -> int:
        """Records wanted."""

    @property
    def params(self) -> dict[str, str]: ...

    def following(self, cursor: str) -> Self:
        """The page that a cursor leads to."""

    def sized(self, size: int) -> Self:
        """The same page with so many records."""

    def document(self, scope: Dict[str, Sequence[str]]) -> Any:
        """What to send, within a scope of a console; None for a list."""


class ConsoleClient:
    """Asks one console. Threads may share it.

    Raises ConfigError if the certificates to trust, or the environment's proxy, cannot be used.
    """

    def __init__(
        self,
        console: ConsoleTable,
        timings: Timings = DEFAULTS,
        connections: Connections | None = None,
    ) -> None:
        self.name = console.name
        self.token = ApiToken(console)
        self._sent = ""
        self._base = f"{console.url}/web/api/v2.1/"
        self._scope = {name: getattr(console, name) for name in _SCOPE if getattr(console, name)}
        self._http = HttpClient(
            (timings.console_connect, timings.console_answer),
            trust=trusted(console.ca_file, f"consoles.{console.name}: ca_file", console.url),
            proxies=proxies_for(console.url, console.proxy),
            connections=connections,
        )
        self._http.headers["Accept"] = "application/json"
        self._http.headers["Accept-Encoding"] = "gzip, deflate"

    def page(self, endpoint: str, query: PageQuery) -> Response:
        """Ask an endpoint, a path below `/web/api/v2.1/`, for a page.

        Raises:
            Refused, FeedRefused, BadRequest, Throttled, CursorLost: as the console answers.
            Unavailable: no answer, a broken one, or one that is not the API's.
            ConfigError: the token cannot be read.
        """
        document = query.document(self._scope)
        if document is not None:
            return self._ask("POST", endpoint, params=query.params, json=document)
        scope = {_SCOPE[name]: ",".join(ids) for name, ids in self._scope.items()}
        return self._ask("GET", endpoint, params=scope | query.params)

    def post(self, endpoint: str, document: Any) -> Response:
        """Send an endpoint a JSON document. Raises what `page` raises."""
        return self._ask("POST", endpoint, json=document)

    def hide_token(self, error: SourceError) -> SourceError:
        """Take the token out of an error: an answer may repeat what it was asked with."""
        error.args = (str(error).replace(self._sent or "\0", "***"),)
        return error

    def _ask(self, method: str, endpoint: str, **what: Any) -> Response:
        self._sent = self.token.value()
        what["headers"] = {"Authorization": f"ApiToken {self._sent}"}
        sent = time.monotonic()
        with self._http.answer(endpoint, method, self._base + endpoint, **what) as answer:
            try:
                response = _read(endpoint, answer)
            except SourceError as error:
                raise self.hide_token(error) from None
        if response.clock is not None:
            response.clock -= round((time.monotonic() - sent) * SECOND)
        return response


def _read(endpoint: str, answer: requests.Response) -> Response:
    encoding = answer.headers.get("Content-Encoding", "")
    if answer.status_code != 200:
        body = _readable(answer.raw.read(_LONGEST_ERROR, decode_content=False), encoding)
        raise failure(endpoint, answer.status_code, answer.headers, body)
    kind = answer.headers.get("Content-Type", "")
    if kind and "json" not in kind.lower():
        error = Unavailable(f"{endpoint}: HTTP 200, but {kind.split(';')[0]} and not JSON")
        error.http_status = 200
        raise error
    content = answer.raw.read(decode_content=False)
    clock = parse_http_date(answer.headers.get("Date", ""))
    return Response(endpoint, content, encoding, clock)


def _readable(body: bytes, encoding: str) -> bytes:
    try:
        return decoded(body, encoding)
    except BrokenBody:  # the status is enough
        return b""
