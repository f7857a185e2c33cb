"""Requests to consoles, shippers and Azure: proxies, time-outs, and why there is no answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import BaseAdapter
from requests.utils import get_environ_proxies, select_proxy

from sentinelone_source import __version__
from sentinelone_source.config.addresses import is_loopback, split_url
from sentinelone_source.errors import ConfigError, Overloaded, Unavailable, lacks_descriptors
from sentinelone_source.http.connections import Connections, trusted

_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a request without an answer raises."""

_NO_CONNECTION = (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError)
_NO_ANSWER = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)


class HttpClient(requests.Session):
    """A session that leaves nothing to the machine's settings that was not asked for.

    `.netrc` is not read, and every request has a time-out. Threads may share it.

    Args:
        timeout: seconds to wait for a connection, and for each part of an answer.
        trust: the certificates to trust, from `trusted`; None for the environment's, or the usual.
        proxies: as requests takes them; None for the environment's, by address.
    """

    def __init__(
        self,
        timeout: tuple[float, float],
        *,
        trust: str | bool | None = None,
        proxies: dict[str, str] | None = None,
        connections: Connections | None = None,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.timeout = timeout
        self._trusted = trusted("", "") if trust is None else trust
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

        A redirect is an answer like others. Raises Unavailable if there is no answer, or it breaks
        off; the message begins with `about`, what was asked for, and says why.
        """
        try:
            with self.request(method, url, stream=True, allow_redirects=False, **what) as response:
                yield response
        except _FAILURES as error:
            late = isinstance(error, _NO_ANSWER) and not isinstance(error, _NO_CONNECTION)
            kind = Overloaded if late else Unavailable
            raise kind(f"{about}: {reason(error, self.timeout)}") from None


def proxies_for(url: str, configured: str = "") -> dict[str, str]:
    """The proxies of a URL: the configured one, else the environment's, as requests takes them.

    Loopback and link-local addresses are asked without one. Raises ConfigError if the environment
    names a proxy that is neither http:// nor https://, or no host.
    """
    if configured:
        return {"http": configured, "https": configured}
    if _is_near(urlsplit(url).hostname or ""):
        return {}
    proxies = dict(get_environ_proxies(url))
    proxy = select_proxy(url, proxies) or ""
    kind, separator, _ = proxy.partition("://")
    variable = f"{urlsplit(url).scheme.upper()}_PROXY or ALL_PROXY"
    if separator and kind.lower() not in ("http", "https"):
        raise ConfigError(
            f"environment: {variable}: {kind} proxies are not supported; "
            "name one with http:// or https://, or exclude the host by NO_PROXY"
        )
    if proxy and not split_url(proxy if separator else f"http://{proxy}"):
        raise ConfigError(f"environment: {variable}: is not a URL, such as http://proxy:8080")
    return proxies


def _is_near(host: str) -> bool:
    """Whether a host is this machine, or its metadata service."""
    try:
        return is_loopback(host) or ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False


def reason(error: BaseException, timeout: tuple[float, float]) -> str:
    """Why there is no answer, without addresses, queries and headers."""
    if lacks_descriptors(error):
        return "no file descriptor is left for a connection; raise the limit (ulimit -n)"
    if isinstance(error, _NO_CONNECTION):
        return f"no connection within {timeout[0]:g} seconds"
    if isinstance(error, _NO_ANSWER):
        return f"no answer within {timeout[1]:g} seconds"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the answer broke off"
    return _no_connection(error)


def _no_connection(error: BaseException) -> str:
    words = _innermost(error)
    if not isinstance(error, requests.exceptions.ProxyError):
        tls = isinstance(error, requests.exceptions.SSLError)
        return f"{'TLS' if tls else 'no connection'}: {words}"
    if words.startswith("Tunnel connection failed"):
        return f"the proxy refuses the connection: {words.partition(': ')[2]}"
    return f"no connection to the proxy: {words}"


def _innermost(error: BaseException) -> str:
    """The words of the error that all others are about."""
    while (following := _cause(error)) is not None and following is not error:
        error = following
    words = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return words or (str(error) if type(error) is OSError else "") or type(error).__name__


def _cause(error: BaseException) -> BaseException | None:
    reason = getattr(error, "reason", None) or getattr(error, "original_error", None)
    if isinstance(reason, BaseException):
        return reason
    inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
    return inner or error.__cause__ or error.__context__
