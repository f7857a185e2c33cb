"""Requests to Azure: whose certificates count, which proxy, and how long to wait."""

from __future__ import annotations

from typing import Any

import requests

from sentinelone_source import __version__
from sentinelone_source.certificates import trusted
from sentinelone_source.http import reasons
from sentinelone_source.http.proxies import proxies_for

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
        how = {"timeout": TIMEOUT, "verify": self._certificates, "proxies": proxies_for(url)} | how
        answer = super().request(method, url, *args, **how)
        self.status = answer.status_code
        return answer


def certificates() -> str | bool:
    """The certificates to trust. Raises ConfigError if the file that is named does not exist."""
    return trusted("", "")


def reason(error: BaseException) -> str:
    """Why there is no answer, without addresses, queries and headers."""
    return reasons.reason(error, TIMEOUT)
