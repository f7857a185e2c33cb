"""A token endpoint on loopback: OAuth's client credentials in front, any identity behind.

Fluent Bit supports only client secrets and the public cloud. With its `auth_url` set to the broker,
it works with a managed identity, a workload identity, a certificate, or another cloud.
"""

from __future__ import annotations

import contextlib
import hmac
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import structlog

from sentinelone_source.azure.credential import Credential
from sentinelone_source.azure.token_refresher import TokenRefresher
from sentinelone_source.config import is_loopback
from sentinelone_source.errors import SourceError
from sentinelone_source.http.server import Reply, Request, Server
from sentinelone_source.secret_file import SecretFile
from sentinelone_source.timings import DEFAULTS

if TYPE_CHECKING:
    from sentinelone_source.azure.credential import Token
    from sentinelone_source.config.azure import AzureSettings

_NO_STORE = (("Cache-Control", "no-store"),)
_QUIET = 60.0
"""Seconds between two log lines about wrong secrets."""

_log = structlog.get_logger()


class Broker:
    """Answers token requests, for the scope of the configured cloud only.

    Args:
        azure: the identity, the address to listen on, and the secret to check.
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

    def answer(self, request: Request) -> Reply:
        """The OAuth answer to a request."""
        if request.method != "POST":
            return _error(405, "invalid_request", "request a token with POST")
        if not _is_loopback_host(request.headers.get("Host", "")):
            return _error(400, "invalid_request", "Host is not a loopback address")
        if request.body is None:
            return _error(400, "invalid_request", "send a form of at most 64 KiB")
        return self._token(request.body)

    def _token(self, form: bytes) -> Reply:
        try:
            is_admitted = self._secret is None or admits(form, self._secret.value())
        except SourceError as error:
            _log.error("token_failed", error=str(error))
            return _error(503, "temporarily_unavailable", "the broker's secret cannot be read")
        if not is_admitted:
            self._complain()
            return _error(401, "invalid_client", "client_secret is not the broker's")
        if _form(form).get("grant_type") != "client_credentials":
            return _error(400, "unsupported_grant_type", "only client_credentials is supported")
        try:
            token = self._refresher.take(DEFAULTS.broker_answer)
        except SourceError as error:
            return _error(503, "temporarily_unavailable", str(error))
        left = int(token.expires_on - time.time())
        body = {"token_type": "Bearer", "expires_in": left, "access_token": token.value}
        return _reply(200, body, _NO_STORE)

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


def _error(status: int, code: str, words: str) -> Reply:
    later = (("Retry-After", "5"),) if status == 503 else ()
    return _reply(status, {"error": code, "error_description": words}, _NO_STORE + later)


def _reply(status: int, body: dict[str, Any], headers: tuple[tuple[str, str], ...]) -> Reply:
    return Reply(status, msgspec.json.encode(body), headers=headers)


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
    broker = Broker(azure, refresher)
    with refresher:
        where = f"{azure.source}: azure.broker.listen"
        server = Server("broker", azure.broker, broker.answer, where)
        url = f"http://{server.address}/token"
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
            server.close()


def _is_loopback_host(host: str) -> bool:
    """Whether a request names a loopback address; a web page sends its own host."""
    try:
        return not host or is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
