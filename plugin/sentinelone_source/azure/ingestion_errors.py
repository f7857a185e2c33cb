"""Errors of the Logs Ingestion API, with advice."""

from __future__ import annotations

from collections.abc import Mapping as Dict

import msgspec

from sentinelone_source.errors import ConfigError, SourceError, Throttled, Unavailable

ROLE = "Monitoring Metrics Publisher"

_ADVICE = {
    403: f"grant this identity the role {ROLE!r} on the data collection rule, which takes up to 30 "
    "minutes, and check that endpoint and rule belong together",
    404: "check azure.dcr_immutable_id, azure.endpoint, and that the rule has this stream",
}


def split_advice(error: SourceError) -> tuple[str, str]:
    """What happened, and what to do about it, of an error of the Logs Ingestion API."""
    said = str(error)
    for advice in _ADVICE.values():
        if said.endswith(f": {advice}"):
            return said.removesuffix(f": {advice}"), advice
    return said, ""


class TokenRefused(SourceError):
    """HTTP 401: the token is not accepted; a new one may be."""


class TooLong(SourceError):
    """HTTP 413: more than one request may carry."""


class Misunderstood(SourceError):
    """HTTP 400: something in these rows does not fit the stream declaration."""


_KINDS: Dict[int, type[SourceError]] = {
    400: Misunderstood,
    401: TokenRefused,
    403: SourceError,
    404: ConfigError,
    413: TooLong,
}


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Errors(msgspec.Struct):
    error: _Error | None = None


_read_errors = msgspec.json.Decoder(_Errors).decode
"""Made once: threads that meet a type for the first time together crash in msgspec."""


def failure(status: int, headers: Dict[str, str], body: bytes) -> SourceError:
    """The error that an answer other than 204 stands for."""
    said = f"HTTP {status}" + _words(body)
    if status in _KINDS:
        advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
        return _KINDS[status](said + advice)
    if status == 429:
        return Throttled(said, _retry_after(headers))
    if status == 408 or status >= 500:
        return Unavailable(said, _retry_after(headers))
    return SourceError(said)


def _retry_after(headers: Dict[str, str]) -> float | None:
    text = headers.get("Retry-After", "").strip()
    return float(text) if text.isdecimal() else None


def _words(body: bytes) -> str:
    try:
        error = _read_errors(body).error or _Error()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    words = ": ".join(part for part in (error.code, error.message) if part)
    return f", {' '.join(words.split())[:400].rstrip('.')}" if words else ""
