"""The Data Collection Endpoint as a function from call to answer; no sockets here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinelone_source.demo.dce import answers
from sentinelone_source.demo.dce.bodies import MAX_PLAIN, MAX_WIRE, BrokenBody, TooLong, unpack
from sentinelone_source.demo.dce.fit import fitted
from sentinelone_source.demo.dce.received import Losses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinelone_source.demo.answers import Answer
    from sentinelone_source.demo.dce.behaviour import Behaviour
    from sentinelone_source.demo.dce.calls import Call
    from sentinelone_source.demo.dce.received import Received
    from sentinelone_source.demo.dce.streams import Stream
    from sentinelone_source.demo.dce.tokens import Mint

_PATH: Final = re.compile(r"/dataCollectionRules/([^/]+)/streams/([^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and what the body was: bytes once decompressed, rows kept."""

    answer: Answer
    plain: int = 0
    rows: int = 0


class Ingestion:
    """Checks who sends, unpacks, keeps rows."""

    def __init__(
        self, behaviour: Behaviour, streams: Iterable[Stream], mint: Mint, received: Received
    ) -> None:
        self._behaviour = behaviour
        self._streams = {stream.name: stream for stream in streams}
        self._mint = mint
        self._received = received

    def handle(self, call: Call) -> Outcome:
        """What the service would answer; rows are kept when it is 204."""
        refusal = self._refusal(call)
        if refusal:
            return Outcome(refusal)
        _, name = route(call) or ("", "")
        try:
            body = unpack(call.body, call.headers.get("content-encoding", ""))
        except BrokenBody as error:
            return Outcome(answers.refused(400, "InvalidContent", f"{error}."))
        except TooLong:
            text = f"The decompressed payload is longer than {MAX_PLAIN} bytes."
            return Outcome(answers.refused(413, "PayloadSizeLimitExceeded", text))
        try:
            document = msgspec.json.decode(body)
        except (ValueError, RecursionError):
            text = "The request body is not valid JSON."
            return Outcome(answers.refused(400, "InvalidJson", text), len(body))
        return Outcome(answers.NO_CONTENT, len(body), self._keep(self._streams[name], document))

    def _refusal(self, call: Call) -> Answer | None:
        dcr_id, stream = route(call) or ("", "")
        if call.wire > MAX_WIRE:
            return answers.too_long(MAX_WIRE, call.wire)
        if reason := self._mint.refusal(call.headers.get("authorization", "")):
            return answers.unauthorized(reason)
        if not call.query.get("api-version"):
            text = "The api-version query parameter is missing."
            return answers.refused(400, "MissingApiVersionParameter", text)
        if dcr_id != self._behaviour.dcr_id:
            return answers.unknown_rule(dcr_id)
        if not self._behaviour.has_role:
            return answers.no_role(dcr_id)
        return None if stream in self._streams else answers.unknown_stream(stream)

    def _keep(self, stream: Stream, document: Any) -> int:
        losses, lines = Losses(), []
        elements = document if isinstance(document, list) else []
        if not isinstance(document, list):
            losses.objects[stream.name] += 1
        for element in elements:
            if isinstance(element, dict):
                keep_times = self._behaviour.keep_times
                lines.append(fitted(element, stream, losses, keep_times=keep_times))
            else:
                losses.elements[stream.name] += 1
        self._received.add(stream.table, lines, losses)
        return len(lines)


def route(call: Call) -> tuple[str, str] | None:
    """The rule's id and the stream that a call is for; None when it is for neither."""
    found = _PATH.fullmatch(call.path)
    return (found[1], found[2]) if found else None
