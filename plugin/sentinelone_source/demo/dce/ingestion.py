"""The Data Collection Endpoint as a function from call to answer; no sockets here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec

from sentinelone_source.demo.bodies import MAX_PLAIN, MAX_WIRE, BodyTooLong, UnreadableBody, unpack
from sentinelone_source.demo.dce.received import Losses
from sentinelone_source.demo.dce.schema_check import fitted
from sentinelone_source.demo.transport import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinelone_source.demo.dce.behaviour import Behaviour
    from sentinelone_source.demo.dce.received import Received
    from sentinelone_source.demo.dce.schema_check import Stream
    from sentinelone_source.demo.dce.token_issuer import TokenIssuer
    from sentinelone_source.demo.transport import Call

NO_CONTENT: Final = Answer(204, content_type=None)
_PATH: Final = re.compile(r"/dataCollectionRules/([^/]+)/streams/([^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class IngestionOutcome:
    """An answer, and what the body was: bytes once decompressed, rows kept."""

    answer: Answer
    plain: int = 0
    rows: int = 0


def refused(status: int, code: str, text: str, *headers: tuple[str, str]) -> Answer:
    """An error of the Data Collection Endpoint."""
    body = msgspec.json.encode({"error": {"code": code, "message": text}})
    known = ("x-ms-error-code", code), ("x-ms-request-id", str(uuid4()))
    return Answer(status, body, headers=(*known, *headers))


def route(call: Call) -> tuple[str, str] | None:
    """The rule's id and the stream that a call is for; None when it is for neither."""
    found = _PATH.fullmatch(call.path)
    return (found[1], found[2]) if found else None


class DemoIngestion:
    """Checks who sends, unpacks, keeps rows."""

    def __init__(
        self,
        behaviour: Behaviour,
        streams: Iterable[Stream],
        issuer: TokenIssuer,
        received: Received,
    ) -> None:
        self._behaviour = behaviour
        self._streams = {stream.name: stream for stream in streams}
        self._issuer = issuer
        self._received = received

    def handle(self, call: Call) -> IngestionOutcome:
        """What the service would answer; rows are kept when it is 204."""
        dcr_id, stream = route(call) or ("", "")
        if refusal := self._refusal(call, dcr_id, stream):
            return IngestionOutcome(refusal)
        try:
            body = unpack(call.body, call.headers.get("content-encoding", ""))
        except UnreadableBody as error:
            return IngestionOutcome(refused(400, "InvalidContent", f"{error}."))
        except BodyTooLong:
            text = f"The decompressed payload is longer than {MAX_PLAIN} bytes."
            return IngestionOutcome(refused(413, "PayloadSizeLimitExceeded", text))
        try:
            document = msgspec.json.decode(body)
        except (ValueError, RecursionError):
            text = "The request body is not valid JSON."
            return IngestionOutcome(refused(400, "InvalidJson", text), len(body))
        return IngestionOutcome(NO_CONTENT, len(body), self._keep(self._streams[stream], document))

    def _refusal(self, call: Call, dcr_id: str, stream: str) -> Answer | None:
        known, rule = self._behaviour, f"ata collection rule with immutable Id '{dcr_id}'"
        reason = self._issuer.refusal(call.headers.get("authorization", ""))
        found: Answer | None = None
        if call.wire > MAX_WIRE:
            text = f"Maximum allowed content length: {MAX_WIRE} bytes (1 MB)."
            text = f"{text} Provided content length: {call.wire} bytes."
            found = refused(413, "ContentLengthLimitExceeded", text)
        elif reason:
            found = refused(401, "AuthenticationFailed", reason, ("WWW-Authenticate", "Bearer"))
        elif not call.query.get("api-version"):
            text = "The api-version query parameter is missing."
            found = refused(400, "MissingApiVersionParameter", text)
        elif dcr_id != known.dcr_id:
            found = refused(404, "NotFound", f"D{rule} not found.")
        elif not known.has_role:
            text = "The authentication token provided does not have access to ingest data for the"
            text = f"{text} d{rule} IsRbacPresent 'False' IsDcrDceBindingValid 'True'."
            found = refused(403, "OperationFailed", text)
        elif stream not in self._streams:
            text = f"The stream {stream!r} is not declared in the data collection rule."
            found = refused(404, "NotFound", text)
        return found

    def _keep(self, stream: Stream, document: Any) -> int:
        losses, lines = Losses(), []
        if not isinstance(document, list):
            losses["single_objects"][stream.name] += 1
            document = []
        for element in document:
            if isinstance(element, dict):
                keep_times = self._behaviour.keep_times
                lines.append(fitted(element, stream, losses, keep_times=keep_times))
            else:
                losses["elements_not_objects"][stream.name] += 1
        self._received.add(stream.table, lines, losses)
        return len(lines)
