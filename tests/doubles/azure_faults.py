"""What the loopback Azure does wrong, to which requests.

faults = [refuse("token", 503, times=2), hang("Custom-SentinelOneAgents_CL", 30)]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from doubles.connections import Ended, hold
from sentinelone_source.demo.dce.errors import DemoFault
from sentinelone_source.demo.http_server import Answer, Call


class AzureFault(DemoFault, kw_only=True):
    """One of `status`, `reset`, `lose_answer` and `hang` says what happens.

    Attributes:
        reset: the connection is reset before an answer, and nothing is kept.
        lose_answer: the request is served, and the connection ends before the answer.
        hang: seconds of silence, then the request is served; a client that has gone by then sent
            nothing.
    """

    status: int = 0
    reset: bool = False
    lose_answer: bool = False
    hang: float | None = None

    def spoil(self, call: Call, serve: Callable[[], Answer]) -> Answer:
        """What becomes of a request that `serve` would answer."""
        if self.status:
            return self.answer()
        if self.reset:
            return Ended(0, ending="reset")
        if self.hang is not None and not hold(call, self.hang):
            return Ended(0)
        answer = serve()
        return Ended(0) if self.lose_answer else answer


def refuse(
    where: str, status: int, retry_after: float | str | None = None, **when: Any
) -> AzureFault:
    """A status with the body that Azure sends with it; nothing is kept."""
    return AzureFault(where=where, status=status, retry_after=retry_after, **when)


def throttle(where: str, retry_after: float | str | None = None, **when: Any) -> AzureFault:
    """429; `retry_after` may be seconds or a date, or be missing."""
    return refuse(where, 429, retry_after, **when)


def reset(where: str, **when: Any) -> AzureFault:
    """The connection is reset before an answer, and nothing is kept."""
    return AzureFault(where=where, reset=True, **when)


def lose_answer(where: str, **when: Any) -> AzureFault:
    """The request is served, and the connection ends before the answer: sent again, it is twice."""
    return AzureFault(where=where, lose_answer=True, **when)


def hang(where: str, seconds: float, **when: Any) -> AzureFault:
    """Silence, then the request is served; a client that has gone by then sent nothing."""
    return AzureFault(where=where, hang=seconds, **when)
