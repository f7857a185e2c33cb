"""Requests to Azure: whose certificates count, which proxy, and how long to wait."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.utils

from sentinelone_source import __version__
from sentinelone_source.certificates import trusted
from sentinelone_source.config import is_loopback

TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for each part of an answer."""


class Web(requests.Session):
    """A session that leaves nothing to chance, for ourselves and for msal.

    Certificates are those of the environment, proxies too, but never for this machine's own
    addresses; a request without a time-out gets one.

    Attributes:
        status: of the last answer.

    Raises:
        ConfigError: the environment names certificates that do not exist.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # no .netrc, and no variable over what we chose
        self.status = 0
        self._certificates = certificates()
        self.headers["User-Agent"] = f"sentinelone-source/{__version__}"

    def request(self, method: Any, url: Any, *args: Any, **how: Any) -> requests.Response:
        """`requests.Session.request` with our certificates, proxies and time-outs."""
        how = {"timeout": TIMEOUT, "verify": self._certificates, "proxies": proxies(url)} | how
        answer = super().request(method, url, *args, **how)
        self.status = answer.status_code
        return answer


def certificates() -> str | bool:
    """The certificates to trust. Raises ConfigError if the file that is named does not exist."""
    return trusted("", "")


def proxies(url: str) -> dict[str, str]:
    """The environment's proxies for an address; none for this machine's, or its host's, own."""
    host = urlsplit(url).hostname or ""
    if is_loopback(host) or _is_link_local(host):
        return {}
    return dict(requests.utils.get_environ_proxies(url))


def _is_link_local(host: str) -> bool:
    """Whether a host is asked without a proxy by its nature: the instance metadata service."""
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False


def reason(error: BaseException) -> str:
    """Why there is no answer, without addresses, queries and headers."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS: {_innermost(error)}"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let us through"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {TIMEOUT[0]:.0f} seconds"
    if isinstance(error, requests.exceptions.Timeout):
        return f"no answer within {TIMEOUT[1]:.0f} seconds"
    return f"no connection: {_innermost(error)}"


def _innermost(error: BaseException) -> str:
    while True:
        inner = getattr(error, "reason", None) or next(
            (arg for arg in error.args if isinstance(arg, BaseException)), None
        )
        following = inner if isinstance(inner, BaseException) else error.__context__
        if following is None:
            words = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
            return words or type(error).__name__
        error = following
