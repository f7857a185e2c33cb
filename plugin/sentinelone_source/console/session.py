"""One console: a connection that knows its address, its token and its certificates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import requests

from sentinelone_source import __version__
from sentinelone_source.certificates import trusted
from sentinelone_source.config import Console
from sentinelone_source.console.answers import console_clock, failure
from sentinelone_source.console.token import Token
from sentinelone_source.errors import Unavailable
from sentinelone_source.http.bodies import BrokenBody, decoded
from sentinelone_source.http.proxies import proxies_for
from sentinelone_source.http.reasons import FAILURES, no_answer
from sentinelone_source.times import SECOND
from sentinelone_source.timings import DEFAULTS, Timings

_LONGEST_ERROR = 65_536


@dataclass
class Answer:
    """A page as it came over the wire.

    Attributes:
        content: the body, still compressed if it came so.
        encoding: its `Content-Encoding`; empty if it has none.
        clock: the console's time when it was asked, microseconds since 1970, at the latest; None
            if it does not say.
    """

    endpoint: str
    content: bytes
    encoding: str
    clock: int | None

    def body(self) -> bytes:
        """The body as JSON text.

        Raises:
            Unavailable: the body cannot be decompressed.
        """
        try:
            return decoded(self.content, self.encoding)
        except BrokenBody as error:
            raise Unavailable(f"{self.endpoint}: {error}") from None


class Session:
    """Asks one console. Usable from several threads at once.

    Raises:
        ConfigError: the certificates to trust, or the environment's proxy, cannot be used.
    """

    def __init__(self, console: Console, timings: Timings = DEFAULTS) -> None:
        self.name = console.name
        self.token = Token(console)
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
        self._verify = trusted(console.ca_file, f"consoles.{console.name}: ca_file")
        self._proxies = proxies_for(console.url, console.proxy)
        self._timeout = (timings.console_connect, timings.console_answer)
        self._session = requests.Session()
        self._session.trust_env = False  # proxies and certificates are ours to choose
        self._session.headers.update(
            {"Accept": "application/json", "User-Agent": f"sentinelone-source/{__version__}"}
        )
        self._session.headers["Accept-Encoding"] = "gzip, deflate"

    def get(self, endpoint: str, params: dict[str, str]) -> Answer:
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

    def post(self, endpoint: str, document: Any) -> Answer:
        """Send an endpoint a JSON document. Raises what `get` raises."""
        return self._ask("POST", endpoint, json=document)

    def _ask(self, method: str, endpoint: str, **what: Any) -> Answer:
        token = self.token.value()
        sent = time.monotonic()
        try:
            with self._session.request(
                method,
                self._base + endpoint,
                **what,
                headers={"Authorization": f"ApiToken {token}"},
                timeout=self._timeout,
                verify=self._verify,
                proxies=self._proxies,
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = self._read(endpoint, response)
                if answer.clock is not None:
                    answer.clock -= round((time.monotonic() - sent) * SECOND)
                return answer
        except FAILURES as error:
            raise no_answer(endpoint, error, self._timeout) from None

    def _read(self, endpoint: str, response: requests.Response) -> Answer:
        if response.status_code != 200:
            encoding = response.headers.get("Content-Encoding", "")
            body = _readable(response.raw.read(_LONGEST_ERROR, decode_content=False), encoding)
            raise failure(endpoint, response.status_code, response.headers, body)
        content_type = response.headers.get("Content-Type", "")
        if content_type and "json" not in content_type.lower():
            error = Unavailable(
                f"{endpoint}: HTTP 200, but {content_type.split(';')[0]} and not JSON"
            )
            error.http_status = 200
            raise error
        return Answer(
            endpoint,
            response.raw.read(decode_content=False),
            response.headers.get("Content-Encoding", ""),
            console_clock(response.headers),
        )


def _readable(body: bytes, encoding: str) -> bytes:
    try:
        return decoded(body, encoding)
    except BrokenBody:  # the status says enough
        return b""
