"""Requests to consoles, shippers and Azure: certificates, proxies and time-outs."""

from __future__ import annotations

import functools
import ipaddress
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.utils import get_environ_proxies, select_proxy

from sentinelone_source import __version__
from sentinelone_source.config import is_loopback
from sentinelone_source.errors import ConfigError
from sentinelone_source.http.connections import Connections
from sentinelone_source.http.reasons import FAILURES, no_answer


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
            what: headers, parameters and body, as requests takes them.

        Raises:
            Unavailable: there is no answer, or it breaks off; the message says why.
        """
        try:
            with self.request(method, url, stream=True, allow_redirects=False, **what) as response:
                yield response
        except FAILURES as error:
            raise no_answer(about, error, self.timeout) from None


def proxies_for(url: str, configured: str = "") -> dict[str, str]:
    """The proxies of a URL: the configured one, else the environment's, as requests takes them.

    Loopback and link-local addresses are asked without one.

    Raises:
        ConfigError: the environment names a proxy that is neither http:// nor https://.
    """
    if configured:
        return {"http": configured, "https": configured}
    if _is_near(urlsplit(url).hostname or ""):
        return {}
    proxies = dict(get_environ_proxies(url))
    proxy = select_proxy(url, proxies) or ""
    kind, separator, _ = proxy.partition("://")
    if separator and kind.lower() not in ("http", "https"):
        variable = f"{urlsplit(url).scheme.upper()}_PROXY or ALL_PROXY"
        raise ConfigError(
            f"environment: {variable}: {kind} proxies are not supported; "
            "name one with http:// or https://, or exclude the host by NO_PROXY"
        )
    return proxies


def _is_near(host: str) -> bool:
    """Whether a host is this machine, or its metadata service."""
    try:
        return is_loopback(host) or ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False


def trusted(ca_file: str, key: str) -> str | bool:
    """The certificates to trust, as requests takes them: a file's, the environment's, the usual.

    Args:
        ca_file: a file of certificates; empty if none is named.
        key: the configuration key that named it, for errors.

    Raises:
        ConfigError: the file does not exist, or holds no certificate in PEM.
    """
    named = {
        key: ca_file,
        "REQUESTS_CA_BUNDLE": os.environ.get("REQUESTS_CA_BUNDLE"),
        "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE"),
    }
    for name, path in named.items():
        if path:
            if fault := _fault(path):
                raise ConfigError(f"{name}: {path}: {fault}")
            return path
    return True


@functools.cache
def _fault(path: str) -> str:
    """Why nothing can be trusted by a file, or a directory of certificates; empty if it can."""
    if not Path(path).exists():
        return "no such file"
    if Path(path).is_dir():
        return ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    except OSError as error:
        return error.strerror or "cannot be read"
    return ""
