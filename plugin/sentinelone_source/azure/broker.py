"""A token endpoint on loopback: OAuth's client credentials in front, any identity behind.

Fluent Bit knows client secrets and the public cloud only. Its `auth_url` can point here, and it
works with a managed identity, a workload identity, a certificate, or another cloud.
"""

from __future__ import annotations

import contextlib
import hmac
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec
import structlog

from sentinelone_source.azure.credential import Credential
from sentinelone_source.azure.token_refresher import TokenRefresher
from sentinelone_source.config import is_loopback
from sentinelone_source.errors import ConfigError, SourceError
from sentinelone_source.secret_file import SecretFile

if TYPE_CHECKING:
    from sentinelone_source.azure.credential import Token
    from sentinelone_source.config.azure import AzureSettings

PATIENCE = 4.0
"""Seconds that a request may wait for the first token; Fluent Bit's engine stands still for it."""
_LONGEST_BODY = 65_536
_IDLE = 10.0
_QUIET = 60.0
"""Seconds between two log lines about wrong secrets."""

_log = structlog.get_logger()


class _Answer(NamedTuple):
    status: int
    body: dict[str, Any]


class Broker:
    """Answers token requests, for the scope of the configured cloud only.

    Args:
        azure: who we are, where to listen, and which secret to ask for.
        refresher: gives the tokens.

    Raises:
        ConfigError: the secret's file cannot be read.
    """

    def __init__(self, azure: AzureSettings, refresher: TokenRefresher) -> None:
        file = azure.broker_secret_file
        self._secret = SecretFile(file, "broker secret") if file else None
        if self._secret:
            self._secret.value()
        self._refresher = refresher
        self._complained = 0.0

    def answer(self, body: bytes) -> _Answer:
        """The answer to the body of a token request."""
        try:
            if self._secret and not admits(body, self._secret.value()):
                self._complain()
                return _error(401, "invalid_client", "client_secret is not the broker's")
        except ConfigError as error:
            _log.error("token_failed", error=str(error))
            return _error(503, "temporarily_unavailable", "the broker's secret cannot be read")
        if _form(body).get("grant_type") != "client_credentials":
            return _error(400, "unsupported_grant_type", "only client_credentials is supported")
        try:
            token = self._refresher.take(PATIENCE)
        except SourceError as error:
            return _error(503, "temporarily_unavailable", str(error))
        left = int(token.expires_on - time.time())
        return _Answer(
            200, {"token_type": "Bearer", "expires_in": left, "access_token": token.value}
        )

    def _complain(self) -> None:
        if time.monotonic() - self._complained > _QUIET or not self._complained:
            self._complained = time.monotonic()
            _log.warning("broker_refused", error="a token request had another client_secret")


def admits(body: bytes, secret: str) -> bool:
    """Whether a token request has this secret, encoded as a form, or raw as Fluent Bit sends it."""
    wanted = secret.encode()
    given = [_form(body).get("client_secret", "").encode()]
    marker = b"&client_secret="
    _, found, raw = (b"&" + body).partition(marker)
    if found and raw[len(wanted) : len(wanted) + 1] in (b"", b"&"):
        given.append(raw[: len(wanted)])
    same = [hmac.compare_digest(one, wanted) for one in given]
    return any(same)


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _error(status: int, code: str, words: str) -> _Answer:
    return _Answer(status, {"error": code, "error_description": words})


@contextlib.contextmanager
def brokering(azure: AzureSettings) -> Iterator[str]:
    """A broker in threads of its own, until the end of the `with`; gives its URL.

    Raises:
        ConfigError: what it needs is not configured, or the address is taken.
    """
    credential = Credential(azure)

    def fetch(fresh: bool) -> Token:
        return credential.token(azure.cloud.scope, fresh=fresh)

    refresher = TokenRefresher(fetch)
    server = _listen(azure, Broker(azure, refresher))
    url = f"http://{azure.broker._replace(port=server.server_address[1])}/token"
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True, name="broker")
    with refresher:
        thread.start()
        _log.info(
            "broker_started",
            address=url,
            identity=azure.identity.value,
            cloud=azure.cloud_name,
            asks_for_secret=azure.broker_secret_file is not None,
        )
        try:
            yield url
        finally:
            server.shutdown()
            server.server_close()


def _listen(azure: AzureSettings, broker: Broker) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in azure.broker.host else socket.AF_INET
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away is no event."""

    class Handler(_Handler):
        answers = broker

    try:
        return Server((azure.broker.host, azure.broker.port), Handler)
    except OSError as error:
        raise ConfigError(
            f"{azure.source}: azure.broker.listen: {azure.broker}: {error.strerror}"
        ) from None


def _is_ours(host: str) -> bool:
    """Whether we were asked for by a loopback address; a browser may come by another's name."""
    try:
        return not host or is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    answers: Broker

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not _is_ours(self.headers.get("Host", "")):
            self.close_connection = True
            self._say(_error(400, "invalid_request", "Host is no loopback address"))
            return
        if not length.isdecimal() or int(length) > _LONGEST_BODY:
            self.close_connection = True
            self._say(_error(400, "invalid_request", "a form of at most 64 KiB is wanted"))
            return
        self._say(self.answers.answer(self.rfile.read(int(length))))

    def do_GET(self) -> None:
        self._say(_error(405, "invalid_request", "tokens are asked for with POST"))

    def version_string(self) -> str:
        return "sentinelone-source"

    def log_message(self, *_: Any) -> None:
        """Nothing is logged of requests."""

    def _say(self, answer: _Answer) -> None:
        body = msgspec.json.encode(answer.body)
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if answer.status == 503:
            self.send_header("Retry-After", "5")
        self.end_headers()
        self.wfile.write(body)
