"""A token endpoint on loopback: OAuth's client credentials in front, any identity behind.

Fluent Bit supports only client secrets and the public cloud. With its `auth_url` set to the broker,
it works with a managed identity, a workload identity, a certificate, or another cloud.
"""

from __future__ import annotations

import contextlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec
import structlog

from sentinelone_source.azure.credential import Credential, Token
from sentinelone_source.config.addresses import is_loopback
from sentinelone_source.config.azure import AzureSettings
from sentinelone_source.errors import ConfigError, SourceError, Unavailable
from sentinelone_source.http.server import Reply, Request, Server
from sentinelone_source.secret_file import SecretFile
from sentinelone_source.timings import DEFAULTS, Timings

_NO_STORE = (("Cache-Control", "no-store"),)

_log = structlog.get_logger()


class TokenRefresher:
    """Keeps one token fresh, in a thread; `fetch` is told whether it must be a new one."""

    def __init__(self, fetch: Callable[[bool], Token], timings: Timings = DEFAULTS) -> None:
        self._fetch = fetch
        self._timings = timings
        self._news = threading.Condition()
        self._stopped = threading.Event()
        self._token: Token | None = None
        self._error: SourceError | None = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, daemon=True, name="tokens").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def take(self, patience: float) -> Token:
        """A token that is valid for a while; waits for the first. Raises SourceError, and why."""
        with self._news:
            self._news.wait_for(lambda: self._good() or self._error is not None, patience)
            if self._token is not None and self._good():
                return self._token
            raise self._error or Unavailable("no token yet: the identity provider has not answered")

    def _good(self) -> bool:
        least = self._timings.broker_token_left
        return self._token is not None and self._token.expires_on - time.time() > least

    def _run(self) -> None:
        fresh, retry = False, self._timings.azure_token_first_retry
        while not self._stopped.is_set():
            try:
                token = self._fetch(fresh)
            except SourceError as error:
                self._failed(error, retry)
                wait, retry = retry, min(2 * retry, self._timings.azure_token_longest_retry)
            except Exception:  # noqa: BLE001 - without this thread there are no tokens at all
                _log.exception("token_failed", error="internal error, please report it")
                self._failed(Unavailable("internal error"), retry)
                wait = self._timings.azure_token_longest_retry
            else:
                self._tell(token, None)
                wait, retry, fresh = self._wait(token), self._timings.azure_token_first_retry, True
            self._stopped.wait(wait)

    def _tell(self, token: Token | None, error: SourceError | None) -> None:
        with self._news:
            self._token, self._error = token, error
            self._news.notify_all()

    def _failed(self, error: SourceError, retry: float) -> None:
        self._tell(self._token, error)  # the last token may be good yet
        _log.warning("token_failed", error=str(error), in_hand=self._good(), next_try=f"{retry:g}s")

    def _wait(self, token: Token) -> float:
        """Seconds until a new token should be fetched: before a fifth of its life is left."""
        now, timings = time.time(), self._timings
        left = max(2 * timings.broker_token_left, (token.expires_on - now) / 5)
        latest = token.expires_on - left
        return max(min(token.refresh_on or latest, latest) - now, timings.azure_token_again)


class Broker:
    """Answers token requests. Raises ConfigError if the secret's file cannot be read."""

    def __init__(
        self, azure: AzureSettings, refresher: TokenRefresher, timings: Timings = DEFAULTS
    ) -> None:
        file = azure.broker_secret_file
        self._secret = SecretFile(file, "broker secret") if file else None
        try:
            if self._secret:
                self._secret.value()
        except ConfigError as error:
            raise ConfigError(f"{azure.source}: azure.broker.secret_file: {error}") from None
        self._refresher = refresher
        self._timings = timings
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
            token = self._refresher.take(self._timings.broker_answer)
        except SourceError as error:
            return _error(503, "temporarily_unavailable", str(error))
        left = int(token.expires_on - time.time())
        body = {"token_type": "Bearer", "expires_in": left, "access_token": token.value}
        return _reply(200, body)

    def _complain(self) -> None:
        now = time.monotonic()
        if now - self._complained > self._timings.broker_quiet or not self._complained:
            self._complained = now
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
    return _reply(status, {"error": code, "error_description": words})


def _reply(status: int, body: dict[str, Any]) -> Reply:
    headers = _NO_STORE + ((("Retry-After", "5"),) if status == 503 else ())
    return Reply(status, msgspec.json.encode(body), headers=headers)


@contextlib.contextmanager
def brokering(azure: AzureSettings, timings: Timings = DEFAULTS) -> Iterator[str]:
    """A broker in threads of its own, within the `with`; gives its URL. Raises ConfigError."""
    credential = Credential(azure)
    refresher = TokenRefresher(
        lambda fresh: credential.token(azure.cloud.scope, fresh=fresh), timings
    )
    broker = Broker(azure, refresher, timings)
    with refresher:
        where = f"{azure.source}: azure.broker.listen"
        with contextlib.closing(Server("broker", azure.broker, broker.answer, where)) as server:
            url = f"http://{server.address}/token"
            _log.info(
                "broker_started",
                address=url,
                identity=azure.identity.value,
                cloud=azure.cloud.name,
                asks_for_secret=azure.broker_secret_file is not None,
            )
            yield url


def _is_loopback_host(host: str) -> bool:
    """Whether a request names a loopback address; a web page sends its own host."""
    try:
        return not host or is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
