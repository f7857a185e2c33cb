"""Errors as Entra ID and the other services of Azure word them, and when they are given unasked.

A fault is for requests for a token (`"token"`), for where to get one (`"discovery"`, as msal asks
once), for queries (`"query"`), to the Data Collection Endpoint (`"ingestion"`) or to one of its
streams, by name; streams have queues of their own, looked at first. A fault lets `after` requests
pass, hits `times` (None: until cleared), then makes way for the next.
"""

from __future__ import annotations

from collections import deque
from http.client import responses
from threading import Lock
from typing import Any, Final
from uuid import uuid4

import msgspec

from sentinelone_source.demo.http_server import NO_CONTENT, Answer

_CODES: Final = {
    401: "AuthenticationFailed",
    403: "OperationFailed",
    413: "ContentLengthLimitExceeded",
}
"""Of the Data Collection Endpoint, where they are not the words of the status."""


class RequestRefused(Exception):
    """A request is refused, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json(value: object, status: int = 200) -> Answer:
    """Any JSON."""
    return Answer(status, msgspec.json.encode(value))


def token_refused(
    status: int, error: str, code: int, text: str, *headers: tuple[str, str]
) -> RequestRefused:
    """An error of the token endpoint; `code` is the number after AADSTS."""
    described = f"AADSTS{code}: {text} Trace ID: {uuid4()} Correlation ID: {uuid4()}"
    body = {"error": error, "error_description": described, "error_codes": [code]}
    return RequestRefused(Answer(status, msgspec.json.encode(body), headers=headers))


def refused(
    status: int, code: str, text: str, *headers: tuple[str, str], **more: dict[str, Any]
) -> RequestRefused:
    """An error of the Data Collection Endpoint, or of the query API."""
    body = msgspec.json.encode({"error": {"code": code, "message": text, **more}})
    known = ("x-ms-error-code", code), ("x-ms-request-id", str(uuid4()))
    return RequestRefused(Answer(status, body, headers=(*known, *headers)))


class DemoFault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A status, with the body that Azure sends; nothing is kept. `retry_after` may be a date."""

    where: str
    status: int
    retry_after: int | float | str | None = None
    times: int | None = 1
    after: int = 0

    def answer(self) -> Answer:
        """In place of the service's."""
        if self.status == 204:
            return NO_CONTENT
        headers = () if self.retry_after is None else (("Retry-After", f"{self.retry_after}"),)
        if self.where in ("token", "discovery"):
            is_final = self.status in (400, 401, 403)
            error = "invalid_client" if is_final else "temporarily_unavailable"
            text = "A transient error."
            return token_refused(self.status, error, 90033, text, *headers).answer
        code = _CODES.get(self.status) or responses.get(self.status, "Error").replace(" ", "")
        return refused(self.status, code, "The request was not served.", *headers).answer


class Faults:
    """A queue for each place; safe to use from many threads."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[DemoFault]] = {}
        self._lock = Lock()

    def add(self, *faults: DemoFault) -> None:
        """Appends to the queues."""
        with self._lock:
            for fault in faults:
                self._queues.setdefault(fault.where, deque()).append(msgspec.structs.replace(fault))

    def clear(self) -> None:
        """From now on everything goes well."""
        with self._lock:
            self._queues.clear()

    def take(self, *places: str) -> DemoFault | None:
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
