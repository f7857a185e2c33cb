"""How Entra ID and the Logs Ingestion API word their answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec

from sentinelone_source.demo.answers import Answer

if TYPE_CHECKING:
    from sentinelone_source.demo.answers import Headers

NO_CONTENT: Final = Answer(204, content_type=None)


def json(value: object, status: int = 200) -> Answer:
    """Any JSON."""
    return Answer(status, msgspec.json.encode(value))


def refused_token(status: int, error: str, code: int, text: str, headers: Headers = ()) -> Answer:
    """An error of the token endpoint; `code` is the number after AADSTS."""
    trace, correlation = str(uuid4()), str(uuid4())
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    described = f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation}"
    body = {
        "error": error,
        "error_description": f"{described} Timestamp: {at}",
        "error_codes": [code],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    return Answer(status, msgspec.json.encode(body), headers=headers)


def refused(status: int, code: str, text: str, headers: Headers = ()) -> Answer:
    """An error of the Data Collection Endpoint."""
    body = msgspec.json.encode({"error": {"code": code, "message": text}})
    known = ("x-ms-error-code", code), ("x-ms-request-id", str(uuid4()))
    return Answer(status, body, headers=(*known, *headers))


def unknown_rule(dcr_id: str) -> Answer:
    """404: no such Data Collection Rule here."""
    text = f"Data collection rule with immutable Id '{dcr_id}' not found."
    return refused(404, "NotFound", text)


def unknown_stream(stream: str) -> Answer:
    """404: the rule has no such stream."""
    text = f"The stream {stream!r} is not declared in the data collection rule."
    return refused(404, "NotFound", text)


def no_role(dcr_id: str) -> Answer:
    """403: the token's owner may not send to this rule."""
    text = (
        "The authentication token provided does not have access to ingest data for the data "
        f"collection rule with immutable Id '{dcr_id}' IsRbacPresent 'False' "
        "IsDcrDceBindingValid 'True'."
    )
    return refused(403, "OperationFailed", text)


def too_long(limit: int, length: int) -> Answer:
    """413 of the gateway."""
    text = (
        f"Maximum allowed content length: {limit} bytes ({limit // 1_048_576} MB). "
        f"Provided content length: {length} bytes."
    )
    return refused(413, "ContentLengthLimitExceeded", text)


def unauthorized(reason: str) -> Answer:
    """401: the bearer token is not accepted."""
    return refused(401, "AuthenticationFailed", reason, (("WWW-Authenticate", "Bearer"),))
