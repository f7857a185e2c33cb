"""Fault scripts as data: what the loopback Azure does wrong, to which requests.

    faults = [refuse("token", 503, times=2), throttle("ingestion", retry_after=1),
              hang("Custom-SentinelOneAgents_CL", 30)]

A fault befalls requests for a token (`"token"`), for where to get one (`"discovery"`, as msal asks
once), to the Data Collection Endpoint (`"ingestion"`) or to one of its streams, by name; streams
have queues of their own, looked at first. A fault lets `after` requests pass, hits `times` (None:
until cleared), then makes way for the next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

import msgspec

from sentinelone_source.demo import faults as scripts
from sentinelone_source.demo.dce import answers
from sentinelone_source.demo.dce.bodies import MAX_WIRE
from sentinelone_source.demo.faults import Close, Effect, Fault, Hang, Reset, Script
from sentinelone_source.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinelone_source.demo.answers import Answer

TOKEN: Final = "token"  # noqa: S105 - the name of an endpoint
DISCOVERY: Final = "discovery"
INGESTION: Final = "ingestion"
_CODES: Final = {
    401: ("AuthenticationFailed", "The token is not valid."),
    404: ("NotFound", "Data collection rule with immutable Id 'dcr-unknown' not found."),
    429: ("TooManyRequests", "The rate limit of the data collection rule has been reached."),
    500: ("InternalServerError", "An error has occurred."),
    502: ("BadGateway", "The gateway had no valid answer."),
    503: ("ServiceUnavailable", "The service is not available."),
}


class When(TypedDict, total=False):
    """Which requests a fault befalls; see the module's text."""

    times: int | None
    after: int


def refuse(
    where: str, status: int, retry_after: float | str | None = None, **when: Unpack[When]
) -> Fault:
    """A status with the body that Azure sends with it; nothing is kept."""
    headers = () if retry_after is None else (("Retry-After", f"{retry_after}"),)
    return scripts.say(where, _refusal(where, status, headers), **when)


def throttle(where: str, retry_after: float | str | None = None, **when: Unpack[When]) -> Fault:
    """429; `retry_after` may be seconds or a date, or be missing."""
    return refuse(where, 429, retry_after, **when)


def reset(where: str, **when: Unpack[When]) -> Fault:
    """The connection is reset before an answer, and nothing is kept."""
    return Fault(where, Reset(0), **when)


def lose_answer(where: str, **when: Unpack[When]) -> Fault:
    """The request is served, and the connection ends before the answer: sent again, it is twice."""
    return Fault(where, Close(0), **when)


def hang(where: str, seconds: float, **when: Unpack[When]) -> Fault:
    """Silence, then the request is served; a client that has gone by then sent nothing."""
    return Fault(where, Hang(seconds), **when)


def _refusal(where: str, status: int, headers: tuple[tuple[str, str], ...]) -> Answer:
    if where in (TOKEN, DISCOVERY):
        name = {400: "invalid_request", 401: "invalid_client", 403: "unauthorized_client"}
        error = name.get(status, "temporarily_unavailable")
        return answers.refused_token(status, error, 90033, "A transient error.", headers)
    if status == 403:
        code, text = "OperationFailed", "The token does not have access to ingest data."
    elif status == 413:
        code = "ContentLengthLimitExceeded"
        text = f"Maximum allowed content length: {MAX_WIRE} bytes (1 MB)."
    else:
        code, text = _CODES.get(status, ("Error", "The request was not served."))
    return answers.refused(status, code, text, headers)


class Faults:
    """The queues; safe to use from many threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._identity = Script()
        self._ingestion = Script()
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Appends to the queues."""
        for fault in faults:
            if fault.endpoint in (TOKEN, DISCOVERY):
                self._identity.add(fault)
            elif fault.endpoint == INGESTION:
                self._ingestion.add(replace(fault, endpoint="*"))
            else:
                self._ingestion.add(fault)

    def clear(self) -> None:
        """From now on everything goes well."""
        self._identity.clear()
        self._ingestion.clear()

    def of(self, where: str) -> Effect | None:
        """What befalls this request for a token, or for discovery, if anything."""
        return self._identity.take(where, has_cursor=False)

    def of_stream(self, stream: str) -> Effect | None:
        """What befalls this request to a stream, if anything."""
        return self._ingestion.take(stream, has_cursor=False)


class Order(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A fault as JSON; one of `status`, `reset`, `lose_answer` and `hang` says what happens."""

    where: str
    status: int | None = None
    retry_after: int | float | str | None = None
    reset: bool = False
    lose_answer: bool = False
    hang: float | None = None
    times: int | None = 1
    after: int = 0

    def fault(self) -> Fault:
        """As the scripts know it.

        Raises:
            ConfigError: not exactly one thing is to happen.
        """
        when: When = {"times": self.times, "after": self.after}
        found = []
        if self.status is not None:
            found.append(refuse(self.where, self.status, self.retry_after, **when))
        if self.hang is not None:
            found.append(hang(self.where, self.hang, **when))
        if self.reset:
            found.append(reset(self.where, **when))
        if self.lose_answer:
            found.append(lose_answer(self.where, **when))
        if len(found) != 1:
            raise ConfigError("a fault needs one of status, hang, reset and lose_answer")
        return found[0]
