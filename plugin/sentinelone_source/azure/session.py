"""Requests to Azure, for ourselves and for msal."""

from __future__ import annotations

from typing import Any

import requests

from sentinelone_source.http import reasons
from sentinelone_source.http.client import HttpClient
from sentinelone_source.timings import DEFAULTS

TIMEOUT = (DEFAULTS.azure_connect, DEFAULTS.azure_answer)


class Session(HttpClient):
    """Takes certificates and proxies from the environment.

    Attributes:
        status: of the last answer.

    Raises:
        ConfigError: the environment names certificates that cannot be used.
    """

    def __init__(self) -> None:
        super().__init__(TIMEOUT)
        self.status = 0

    def request(self, method: Any, url: Any, *args: Any, **how: Any) -> requests.Response:
        """What `requests.Session.request` gives; its status is kept."""
        answer = super().request(method, url, *args, **how)
        self.status = answer.status_code
        return answer


def reason(error: BaseException) -> str:
    """Why there is no answer, without addresses, queries and headers."""
    return reasons.reason(error, TIMEOUT)
