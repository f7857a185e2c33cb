"""Requests to Azure, from this program, from msal and from Azure's own clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Dict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

from sentinelone_source.errors import SourceError, Unavailable
from sentinelone_source.http.client import HttpClient, proxies_for, reason
from sentinelone_source.http.connections import trusted
from sentinelone_source.timings import DEFAULTS, Timings

if TYPE_CHECKING:
    from azure.core.exceptions import ODataV4Format

Refusal = Callable[[int, Dict[str, str], "ODataV4Format | None"], SourceError]
"""Makes the error that an answer stands for, from its status, headers and what its body says."""


class Session(HttpClient):
    """Takes certificates and proxies from the environment; `status` is the last answer's."""

    def __init__(self, timings: Timings = DEFAULTS) -> None:
        super().__init__((timings.azure_connect, timings.azure_answer))
        self.status = 0

    def request(self, method: Any, url: Any, *args: Any, **how: Any) -> requests.Response:
        """The answer of `requests.Session.request`; its status is kept."""
        answer = super().request(method, url, *args, **how)
        self.status = answer.status_code
        return answer


def client_options(url: str, answer: float) -> dict[str, Any]:
    """How Azure's own clients connect to a URL, and wait `answer` seconds for an answer.

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


@contextmanager
def client_errors(url: str, answer: float, refusal: Refusal) -> Iterator[None]:
    """Within, errors of Azure's own client become this program's.

    The request is to `url`, the client waits `answer` seconds, `refusal` is for an answer that it
    takes for an error.
    """
    from azure.core import exceptions

    try:
        yield
    except SourceError:  # raised by the credential
        raise
    except exceptions.HttpResponseError as error:
        response: Any = error.response
        if response is None:
            raise Unavailable(f"{url}: the answer broke off") from None
        raise refusal(response.status_code, response.headers, error.error) from None
    except exceptions.AzureError as error:
        raise Unavailable(f"{url}: {_reason(error, answer)}") from None


def _reason(error: Any, answer: float) -> str:
    """Why Azure's own client has no answer, without addresses, queries and headers."""
    from azure.core import exceptions

    inner = getattr(error, "inner_exception", None)
    if isinstance(error, exceptions.ServiceResponseTimeoutError):
        return f"no answer within {answer:g} seconds"
    if isinstance(error, exceptions.ServiceResponseError):
        return "the answer broke off"
    if not isinstance(inner, BaseException):
        return "no connection"
    return reason(inner, (DEFAULTS.azure_connect, answer))


def shown(words: str) -> str:
    """Words of Azure behind `HTTP 400`: on one line, of a bounded length."""
    return f", {' '.join(words.split())[:400].rstrip('.')}" if words else ""
