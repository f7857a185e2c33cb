"""Fetches tokens in the background, each before the last one expires."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

import structlog

from sentinelone_source.errors import SourceError, Unavailable
from sentinelone_source.timings import DEFAULTS, Timings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentinelone_source.azure.credential import Token

LEAST_LIFE = 120.0
"""Seconds of validity that a token has left when it is handed out; Fluent Bit needs 67."""

_log = structlog.get_logger()


class TokenRefresher:
    """Keeps one token fresh, in a thread of its own; a context manager.

    A caller of `take` waits at most as long as it asks for.

    Args:
        fetch: gets a token; told whether it must be a new one.
        timings: how long to wait between requests.
    """

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
        """A token that is valid for a while yet.

        Args:
            patience: seconds to wait for the first one.

        Raises:
            SourceError: there is none, and why.
        """
        with self._news:
            self._news.wait_for(lambda: self._good() or self._error is not None, patience)
            if self._token is not None and self._good():
                return self._token
            raise self._error or Unavailable("no token yet: the identity provider has not answered")

    def _good(self) -> bool:
        return self._token is not None and self._token.expires_on - time.time() > LEAST_LIFE

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
                self._came(token)
                wait, retry, fresh = self._wait(token), self._timings.azure_token_first_retry, True
            self._stopped.wait(wait)

    def _came(self, token: Token) -> None:
        with self._news:
            self._token, self._error = token, None
            self._news.notify_all()

    def _failed(self, error: SourceError, retry: float) -> None:
        """Keep the last token and log the failure."""
        with self._news:
            self._error = error
            self._news.notify_all()
        _log.warning("token_failed", error=str(error), in_hand=self._good(), next_try=f"{retry:g}s")

    def _wait(self, token: Token) -> float:
        """Seconds until a new token should be fetched: before a fifth of its life is left."""
        now = time.time()
        latest = token.expires_on - max(2 * LEAST_LIFE, (token.expires_on - now) / 5)
        return max(min(token.refresh_on or latest, latest) - now, self._timings.azure_token_again)
