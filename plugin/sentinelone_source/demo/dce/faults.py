"""What the loopback Azure does wrong when it is told to, to which requests.

A fault is for requests for a token (`"token"`), for where to get one (`"discovery"`, as msal asks
once), for queries (`"query"`), to the Data Collection Endpoint (`"ingestion"`) or to one of its
streams, by name; streams have queues of their own, looked at first. A fault lets `after` requests
pass, hits `times` (None: until cleared), then makes way for the next.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Final

import msgspec

from sentinelone_source.demo.bodies import MAX_WIRE
from sentinelone_source.demo.dce.identity import refused_token
from sentinelone_source.demo.dce.ingestion import NO_CONTENT, refused
from sentinelone_source.demo.transport import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentinelone_source.demo.transport import Call

TOKEN: Final = "token"  # noqa: S105 - the name of an endpoint
DISCOVERY: Final = "discovery"
INGESTION: Final = "ingestion"
QUERY: Final = "query"
_TOKEN_ERRORS: Final = {
    400: "invalid_request",
    401: "invalid_client",
    403: "unauthorized_client",
}
_CODES: Final = {
    401: ("AuthenticationFailed", "The token is not valid."),
    403: ("OperationFailed", "The token does not have access to ingest data."),
    404: ("NotFound", "Data collection rule with immutable Id 'dcr-unknown' not found."),
    413: (
        "ContentLengthLimitExceeded",
        f"Maximum allowed content length: {MAX_WIRE} bytes.",
    ),
    429: ("TooManyRequests", "The rate limit of the data collection rule has been reached."),
    500: ("InternalServerError", "An error has occurred."),
    502: ("BadGateway", "The gateway had no valid answer."),
    503: ("ServiceUnavailable", "The service is not available."),
}


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One of `status`, `reset`, `lose_answer` and `hang` says what happens.

    Attributes:
        status: with the body that Azure sends with it; nothing is kept, also with 204.
        retry_after: seconds or a date.
        reset: the connection is reset before an answer, and nothing is kept.
        lose_answer: the request is served, and the connection ends before the answer.
        hang: seconds of silence, then the request is served; a client that has gone by then sent
            nothing.
    """

    where: str
    status: int | None = None
    retry_after: int | float | str | None = None
    reset: bool = False
    lose_answer: bool = False
    hang: float | None = None
    times: int | None = 1
    after: int = 0

    def __post_init__(self) -> None:
        said = self.status is not None, self.hang is not None, self.reset, self.lose_answer
        if sum(said) != 1:
            raise ValueError("a fault needs one of status, hang, reset and lose_answer")

    def spoil(self, call: Call, serve: Callable[[], Answer]) -> Answer:
        """What becomes of a request that `serve` would answer."""
        if self.status is not None:
            return self._refusal(self.status)
        if self.reset:
            return Answer(0, ending="reset")
        if self.hang is not None and not call.hold(self.hang):
            return Answer(0, ending="close")
        answer = serve()
        return Answer(0, ending="close") if self.lose_answer else answer

    def _refusal(self, status: int) -> Answer:
        if status == 204:
            return NO_CONTENT
        headers = () if self.retry_after is None else (("Retry-After", f"{self.retry_after}"),)
        if self.where in (TOKEN, DISCOVERY):
            error = _TOKEN_ERRORS.get(status, "temporarily_unavailable")
            return refused_token(status, error, 90033, "A transient error.", *headers)
        code, text = _CODES.get(status, ("Error", "The request was not served."))
        return refused(status, code, text, *headers)


class Faults:
    """A queue for each place; safe to use from many threads."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Fault]] = {}
        self._lock = Lock()

    def add(self, *faults: Fault) -> None:
        """Appends to the queues."""
        with self._lock:
            for fault in faults:
                self._queues.setdefault(fault.where, deque()).append(msgspec.structs.replace(fault))

    def clear(self) -> None:
        """From now on everything goes well."""
        with self._lock:
            self._queues.clear()

    def take(self, *places: str) -> Fault | None:
        """What hits this request, if anything: from the first of its places that has a queue."""
        with self._lock:
            queue = next((queue for place in places if (queue := self._queues.get(place))), None)
            if not queue:
                return None
            fault = queue[0]
            if fault.after:
                fault.after -= 1
                return None
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    queue.popleft()
            return fault
