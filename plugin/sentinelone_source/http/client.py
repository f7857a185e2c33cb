"""Requests to consoles, shippers and Azure: certificates, proxies and time-outs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from sentinelone_source import __version__
from sentinelone_source.http.proxies import proxies_for
from sentinelone_source.http.reasons import FAILURES, no_answer
from sentinelone_source.http.trust import trusted

_CONNECTIONS = 64
"""Kept open to one host at most; more than that are closed after their answer."""


class HttpClient(requests.Session):
    """A session that leaves nothing to the machine's settings that was not asked for.

    `.netrc` is not read, and every request has a time-out. Threads may share it.

    Args:
        timeout: seconds to wait for a connection, and for each part of an answer.
        ca_file: certificates to trust; else the environment's, else the usual.
        ca_key: the configuration key that names the file, for errors.
        proxies: as requests takes them; None for the environment's, by address.

    Raises:
        ConfigError: the certificates cannot be used.
    """

    def __init__(
        self,
        timeout: tuple[float, float],
        *,
        ca_file: str = "",
        ca_key: str = "",
        proxies: dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.timeout = timeout
        self._verify = trusted(ca_file, ca_key)
        self._proxies = proxies
        self.headers["User-Agent"] = f"sentinelone-source/{__version__}"
        for scheme in ("http://", "https://"):
            self.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))

    def request(self, method: Any, url: Any, *args: Any, **how: Any) -> requests.Response:
        """`requests.Session.request` with our certificates, proxies and time-outs."""
        proxies = proxies_for(str(url)) if self._proxies is None else self._proxies
        chosen = {"timeout": self.timeout, "verify": self._verify, "proxies": proxies}
        return super().request(method, url, *args, **(chosen | how))

    @contextmanager
    def answer(self, about: str, method: str, url: str, **what: Any) -> Iterator[requests.Response]:
        """The answer to a request, its body still to be read within the `with`.

        A redirect is an answer like others.

        Args:
            about: what was asked for, for errors.
            method: of the request.
            url: of the request.
            what: headers, parameters and body, as requests takes them.

        Raises:
            Unavailable: there is no answer, or it breaks off; the message says why.
        """
        try:
            with self.request(method, url, stream=True, allow_redirects=False, **what) as response:
                yield response
        except FAILURES as error:
            raise no_answer(about, error, self.timeout) from None
