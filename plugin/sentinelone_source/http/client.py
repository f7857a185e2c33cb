"""Requests to consoles, shippers and Azure: certificates, proxies and time-outs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import BaseAdapter

from sentinelone_source import __version__
from sentinelone_source.http.connections import Connections
from sentinelone_source.http.proxies import proxies_for
from sentinelone_source.http.reasons import FAILURES, no_answer
from sentinelone_source.http.trust import trusted


class HttpClient(requests.Session):
    """A session that leaves nothing to the machine's settings that was not asked for.

    `.netrc` is not read, and every request has a time-out. Threads may share it.

    Args:
        timeout: seconds to wait for a connection, and for each part of an answer.
        ca_file: certificates to trust; else the environment's, else the usual.
        ca_key: the configuration key that names the file, for errors.
        proxies: as requests takes them; None for the environment's, by address.
        connections: to share with other clients.

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
        connections: Connections | None = None,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.timeout = timeout
        self._trusted = trusted(ca_file, ca_key)
        self._connections = connections or Connections()
        self._proxies = proxies
        self.headers["User-Agent"] = f"sentinelone-source/{__version__}"

    def request(self, method: Any, url: Any, *args: Any, **how: Any) -> requests.Response:
        """`requests.Session.request` with our certificates, proxies and time-outs."""
        proxies = proxies_for(str(url)) if self._proxies is None else self._proxies
        chosen: dict[str, Any] = {"timeout": self.timeout, "verify": True, "proxies": proxies}
        return super().request(method, url, *args, **(chosen | how))

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """What sends requests to a URL."""
        return self._connections.adapter(str(url), self._trusted)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._connections.close()

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
