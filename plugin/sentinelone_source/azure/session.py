"""Requests to Azure, from this program and from msal."""

from __future__ import annotations

from typing import Any

import requests

from sentinelone_source.http import reasons
from sentinelone_source.http.client import HttpClient
from sentinelone_source.timings import DEFAULTS, Timings


class Session(HttpClient):
    """Takes certificates and proxies from the environment.

    Args:
        timings: how long to wait.

    Attributes:
        status: of the last answer.

    Raises:
        ConfigError: the environment names certificates that cannot be used.
    """

    def __init__(self, timings: Timings = DEFAULTS) -> None:
        super().__init__((timings.azure_connect, timings.azure_answer))
        self.status = 0

    def request(self, method: Any, url: Any, *args: Any, **how: Any) -> requests.Response:
        """The answer of `requests.Session.request`; its status is kept."""
        answer = super().request(method, url, *args, **how)
        self.status = answer.status_code
        return answer

    def reason(self, error: BaseException) -> str:
        """Why there is no answer, without addresses, queries and headers."""
        return reasons.reason(error, self.timeout)
