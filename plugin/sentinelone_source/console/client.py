"""One console: a connection that knows its address, its token and its certificates."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sentinelone_source.config import ConsoleTable
from sentinelone_source.console.responses import Response, console_clock, failure
from sentinelone_source.console.token import ApiToken
from sentinelone_source.errors import Unavailable
from sentinelone_source.http.bodies import BrokenBody, decoded
from sentinelone_source.http.client import HttpClient
from sentinelone_source.http.connections import Connections
from sentinelone_source.http.proxies import proxies_for
from sentinelone_source.times import SECOND
from sentinelone_source.timings import DEFAULTS, Timings

if TYPE_CHECKING:
    import requests

_LONGEST_ERROR = 65_536


class ConsoleClient:
    """Asks one console. Threads may share it.

    Args:
        console: its address, token and certificates.
        timings: how long to wait.
        connections: to share with other consoles.

    Raises:
        ConfigError: the certificates to trust, or the environment's proxy, cannot be used.
    """

    def __init__(
        self,
        console: ConsoleTable,
        timings: Timings = DEFAULTS,
        connections: Connections | None = None,
    ) -> None:
        self.name = console.name
        self.token = ApiToken(console)
        self._base = f"{console.url}/web/api/v2.1/"
        self._scope = {
            key: ",".join(ids)
            for key, ids in (
                ("siteIds", console.site_ids),
                ("accountIds", console.account_ids),
                ("groupIds", console.group_ids),
            )
            if ids
        }
        self._http = HttpClient(
            (timings.console_connect, timings.console_answer),
            ca_file=console.ca_file,
            ca_key=f"consoles.{console.name}: ca_file",
            proxies=proxies_for(console.url, console.proxy),
            connections=connections,
        )
        self._http.headers["Accept"] = "application/json"
        self._http.headers["Accept-Encoding"] = "gzip, deflate"

    def get(self, endpoint: str, params: dict[str, str]) -> Response:
        """Ask an endpoint for a page.

        Args:
            endpoint: path below `/web/api/v2.1/`.
            params: query parameters; the console's scope filter is added.

        Raises:
            Refused, FeedRefused, BadRequest, Throttled, CursorLost: as the console answers.
            Unavailable: no answer, a broken one, or one that is not the API's.
            ConfigError: the token cannot be read.
        """
        return self._ask("GET", endpoint, params=self._scope | params)

    def post(self, endpoint: str, document: Any) -> Response:
        """Send an endpoint a JSON document. Raises what `get` raises."""
        return self._ask("POST", endpoint, json=document)

    def _ask(self, method: str, endpoint: str, **what: Any) -> Response:
        what["headers"] = {"Authorization": f"ApiToken {self.token.value()}"}
        sent = time.monotonic()
        with self._http.answer(endpoint, method, self._base + endpoint, **what) as answer:
            response = _read(endpoint, answer)
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
    return Response(endpoint, content, encoding, console_clock(answer.headers))


def _readable(body: bytes, encoding: str) -> bytes:
    try:
        return decoded(body, encoding)
    except BrokenBody:  # the status says enough
        return b""
