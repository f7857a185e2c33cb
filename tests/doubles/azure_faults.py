"""What the loopback Azure does wrong, to which requests.

faults = [refuse("token", 503, times=2), hang("Custom-SentinelOneAgents_CL", 30)]
"""

from __future__ import annotations

from typing import Any

from sentinelone_source.demo.dce.faults import Fault

__all__ = ["Fault", "hang", "lose_answer", "refuse", "reset", "throttle"]


def refuse(where: str, status: int, retry_after: float | str | None = None, **when: Any) -> Fault:
    """A status with the body that Azure sends with it; nothing is kept."""
    return Fault(where, status=status, retry_after=retry_after, **when)


def throttle(where: str, retry_after: float | str | None = None, **when: Any) -> Fault:
    """429; `retry_after` may be seconds or a date, or be missing."""
    return refuse(where, 429, retry_after, **when)


def reset(where: str, **when: Any) -> Fault:
    """The connection is reset before an answer, and nothing is kept."""
    return Fault(where, reset=True, **when)


def lose_answer(where: str, **when: Any) -> Fault:
    """The request is served, and the connection ends before the answer: sent again, it is twice."""
    return Fault(where, lose_answer=True, **when)


def hang(where: str, seconds: float, **when: Any) -> Fault:
    """Silence, then the request is served; a client that has gone by then sent nothing."""
    return Fault(where, hang=seconds, **when)
