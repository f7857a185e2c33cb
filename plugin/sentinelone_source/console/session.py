"""One console: a connection that knows its address, its token and its certificates."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.utils
import urllib3.exceptions

from sentinelone_source import __version__
from sentinelone_source.certificates import trusted
from sentinelone_source.config import Console, is_loopback
from sentinelone_source.console.answers import console_clock, failure
from sentinelone_source.console.token import Token
from sentinelone_source.errors import Unavailable
from sentinelone_source.times import SECOND

_TIMEOUT = (10, 90)
_LONGEST_ERROR = 65_536
_LARGEST_GUESS = 1 << 26


@dataclass
class Answer:
    """A page as it came over the wire.

    Attributes:
        content: the body, still compressed if it came so.
        encoding: `gzip`, `deflate`, or empty.
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
            Unavailable: the compressed stream is broken or ends early.
        """
        if not self.encoding:
            return self.content
        # gzip ends with the size of what it holds: told at once, the body is not built up in parts
        size = int.from_bytes(self.content[-4:], "little") if self.encoding == "gzip" else 0
        try:
            return zlib.decompress(
                self.content, zlib.MAX_WBITS | 32, min(max(size, 1), _LARGEST_GUESS)
            )
        except zlib.error:
            raise Unavailable(
                f"{self.endpoint}: the compressed body is broken, or ends early"
            ) from None


class Session:
    """Asks one console. Usable from several threads at once.

    Raises:
        ConfigError: the file with the certificates to trust is missing.
    """

    def __init__(self, console: Console) -> None:
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
        self._proxies = _proxies(console)
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
                timeout=_TIMEOUT,
                verify=self._verify,
                proxies=self._proxies,
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = self._read(endpoint, response)
                if answer.clock is not None:
                    answer.clock -= round((time.monotonic() - sent) * SECOND)
                return answer
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{endpoint}: {_reason(error)}") from None

    def _read(self, endpoint: str, response: requests.Response) -> Answer:
        if response.status_code != 200:
            body = response.raw.read(_LONGEST_ERROR, decode_content=True)
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
            response.headers.get("Content-Encoding", "").strip().lower(),
            console_clock(response.headers),
        )


def _proxies(console: Console) -> dict[str, str]:
    if console.proxy:
        return {"http": console.proxy, "https": console.proxy}
    if is_loopback(urlsplit(console.url).hostname or ""):
        return {}
    return dict(requests.utils.get_environ_proxies(console.url))


def _reason(error: Any) -> str:
    """What went wrong, without the address's query and without a header."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS: {_innermost(error)}"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let us through"
    if isinstance(
        error, requests.exceptions.ConnectTimeout | urllib3.exceptions.ConnectTimeoutError
    ):
        return f"no connection within {_TIMEOUT[0]} seconds"
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return f"no answer within {_TIMEOUT[1]} seconds"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the answer broke off"
    return f"no connection: {_innermost(error)}"


def _innermost(error: BaseException) -> str:
    while True:
        inner = error.__cause__ or error.__context__
        reason = getattr(error, "reason", None) or next(
            (arg for arg in error.args if isinstance(arg, BaseException)), None
        )
        following = reason if isinstance(reason, BaseException) else inner
        if following is None or following is error:
            words = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
            return words or type(error).__name__
        error = following
