"""Why a request has no answer, in plain words: without addresses, queries and headers."""

from __future__ import annotations

import requests
import urllib3.exceptions

from sentinelone_source.errors import Overloaded, Unavailable, lacks_descriptors

Timeout = tuple[float, float]
"""Seconds to wait for a connection, and for each part of an answer."""
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a request without an answer raises."""

_NO_CONNECTION = (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError)
_NO_ANSWER = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)


def no_answer(about: str, error: BaseException, timeout: Timeout) -> Unavailable:
    """The error to raise for a request about something that failed with one of `FAILURES`."""
    late = isinstance(error, _NO_ANSWER) and not isinstance(error, _NO_CONNECTION)
    return (Overloaded if late else Unavailable)(f"{about}: {reason(error, timeout)}")


def reason(error: BaseException, timeout: Timeout) -> str:
    """Why there is no answer."""
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
