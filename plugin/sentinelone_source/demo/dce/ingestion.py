"""The Data Collection Endpoint as a function from call to answer; no sockets here."""

from __future__ import annotations

import gzip
import re
import zlib
from io import BytesIO
from typing import Any, Final

import msgspec

from sentinelone_source.demo.dce.errors import refused
from sentinelone_source.demo.dce.identity import TokenIssuer
from sentinelone_source.demo.dce.rows import Losses, Received, Stream, fitted
from sentinelone_source.demo.http_server import NO_CONTENT, Answer, Call

MAX_WIRE: Final = 1_048_576
"""Bytes of a body on the wire."""
MAX_PLAIN: Final = 50 * 1024 * 1024
"""Bytes of a body once decompressed."""
_PATH: Final = re.compile(r"/dataCollectionRules/([^/]+)/streams/([^/]+)", re.IGNORECASE)


def route(call: Call) -> tuple[str, str] | None:
    """The rule's id and the stream that rows are sent to; None for any other call."""
    found = _PATH.fullmatch(call.path) if call.method == "POST" else None
    return (found[1], found[2]) if found else None


def ingest(issuer: TokenIssuer, received: Received, call: Call) -> Answer:
    """What the service would answer; rows are kept when it is 204. Raises RequestRefused."""
    _check_sender(issuer, call)
    dcr_id, name = route(call) or ("", "")
    if dcr_id != issuer.behaviour.dcr_id:
        text = f"Data collection rule with immutable Id '{dcr_id}' not found."
        raise refused(404, "NotFound", text)
    if name not in received.streams:
        text = f"The stream {name!r} is not declared in the data collection rule."
        raise refused(404, "NotFound", text)
    stream, losses = received.streams[name], Losses()
    rows = _rows(unpacked(call), stream, losses)
    keep_times = issuer.behaviour.keep_times
    lines = [fitted(row, stream, losses, keep_times=keep_times) for row in rows]
    received.add(stream.table, lines, losses)
    return NO_CONTENT


def _check_sender(issuer: TokenIssuer, call: Call) -> None:
    if len(call.body) > MAX_WIRE:
        text = f"Maximum allowed content length: {MAX_WIRE} bytes (1 MB)."
        text = f"{text} Provided content length: {len(call.body)} bytes."
        raise refused(413, "ContentLengthLimitExceeded", text)
    audiences = {issuer.behaviour.audience.rstrip("/")}
    if reason := issuer.refusal(call.headers.get("authorization", ""), audiences):
        raise refused(401, "AuthenticationFailed", reason, ("WWW-Authenticate", "Bearer"))
    if not call.query.get("api-version"):
        text = "The api-version query parameter is missing."
        raise refused(400, "MissingApiVersionParameter", text)


def unpacked(call: Call) -> bytes:
    """The body of a call, decompressed. Raises RequestRefused."""
    body, encoding = call.body, call.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        text = f"Content-Encoding {encoding!r} is not supported."
        raise refused(400, "InvalidContent", text)
    if encoding == "gzip":
        try:
            body = gzip.GzipFile(fileobj=BytesIO(body)).read(MAX_PLAIN + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise refused(400, "InvalidContent", f"not gzip: {error}.") from None
    if len(body) > MAX_PLAIN:
        text = f"The decompressed payload is longer than {MAX_PLAIN} bytes."
        raise refused(413, "PayloadSizeLimitExceeded", text)
    return body


def _rows(body: bytes, stream: Stream, losses: Losses) -> list[dict[str, Any]]:
    try:
        document = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise refused(400, "InvalidJson", "The request body is not valid JSON.") from None
    if not isinstance(document, list):
        losses["single_objects"][stream.name] += 1
        return []
    rows = [element for element in document if isinstance(element, dict)]
    if others := len(document) - len(rows):
        losses["elements_not_objects"][stream.name] += others
    return rows
