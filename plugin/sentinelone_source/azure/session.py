"""Requests to Azure, from this program, from msal and from Azure's own clients."""

from __future__ import annotations

from typing import Any

import requests

from sentinelone_source.http import reasons
from sentinelone_source.http.client import HttpClient, proxies_for, trusted
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


def client_options(url: str, answer: float) -> dict[str, Any]:
    """How Azure's own clients connect.

    Args:
        url: where to.
        answer: seconds to wait for an answer.

    Raises:
        ConfigError: the environment names certificates or a proxy that cannot be used.
    """
    return {
        "connection_timeout": DEFAULTS.azure_connect,
        "read_timeout": answer,
        "connection_verify": trusted("", ""),
        "use_env_settings": False,
        "proxies": proxies_for(url),
        "user_agent": "sentinelone-source",
    }


def body_of(response: Any) -> bytes:
    """The body of an answer that Azure's own client took for an error; empty if it has none."""
    try:
        return bytes(response.body())
    except Exception:  # noqa: BLE001 - the status says enough
        return b""


def client_reason(error: Any, answer: float) -> str:
    """Why Azure's own client has no answer, without addresses, queries and headers."""
    from azure.core import exceptions

    inner = getattr(error, "inner_exception", None)
    if isinstance(error, exceptions.ServiceResponseTimeoutError):
        return f"no answer within {answer:g} seconds"
    if isinstance(error, exceptions.ServiceResponseError):
        return "the answer broke off"
    if not isinstance(inner, BaseException):
        return "no connection"
    return reasons.reason(inner, (DEFAULTS.azure_connect, answer))
