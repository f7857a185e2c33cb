"""A bounded number of requests at once: a request that has to wait stands in a queue."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Bound:
    """A condition that a request waits for besides a slot: a rate limit, or a share of the slots.

    Requests that wait for a bound form a queue. The first of them moves on to the queue for slots
    when the bound allows one more request: it is `called`. `timer` runs until then if it is a
    matter of time.
    """

    def __init__(self) -> None:
        self.waiting: deque[_Asked] = deque()
        self.called: _Asked | None = None
        self.timer: asyncio.TimerHandle | None = None

    def wait(self) -> float:
        """Seconds until a request may be made; infinite if another request has to end first."""
        raise NotImplementedError

    def entered(self) -> None:
        """Count a request that begins."""

    def left(self) -> None:
        """Count a request that has ended."""


class Share(Bound):
    """A part of the slots, with at most `most` requests under way at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._free = most

    def wait(self) -> float:
        return 0.0 if self._free > 0 else math.inf

    def entered(self) -> None:
        self._free -= 1

    def left(self) -> None:
        self._free += 1


class _Asked:
    """A request that waits for bounds and a slot, or is under way.

    Attributes:
        passed: bounds in whose queue it has waited; it goes to the front of these again.
        granted: done when the request may begin.
    """

    def __init__(self, bounds: tuple[Bound, ...]) -> None:
        self.bounds = bounds
        self.passed: set[Bound] = set()
        self.granted = asyncio.get_running_loop().create_future()


class Slots:
    """Lets a bounded number of requests run at once. When one ends, the next begins.

    If several parties (consoles) share the slots, each may use half of them, and those with slow
    answers together another half: `slow`.
    """

    def __init__(self, number: int, *, shared: bool = False) -> None:
        self._free = number
        self._most = max(1, number // 2) if shared else number
        self._queue: deque[_Asked] = deque()
        self.slow = self.share()

    def share(self) -> Share:
        """A new share, for one party: half of the slots if they are shared, else all of them."""
        return Share(self._most)

    async def run(
        self, call: Callable[[], Coroutine[Any, Any, T]], *bounds: Bound, urgent: bool = False
    ) -> T:
        """Make a request when a slot is free and all bounds allow it; an urgent one first of all.

        If the caller is cancelled, the request still keeps its slot until it has ended: a thread
        cannot be stopped.
        """
        asked = _Asked(bounds)
        if urgent:
            self._queue.appendleft(asked)
        else:
            self._queue.append(asked)
        self._dispatch()
        try:
            await asked.granted
        except asyncio.CancelledError:
            if not asked.granted.cancelled():
                self._leave(asked)
            raise
        task = asyncio.create_task(call())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        task.add_done_callback(lambda _: self._leave(asked))
        return await asyncio.shield(task)

    def _dispatch(self) -> None:
        while self._free and self._queue:
            asked = self._queue.popleft()
            for bound in asked.passed:
                bound.called = None if bound.called is asked else bound.called
            blocking = next((one for one in asked.bounds if self._blocks(one, asked)), None)
            if asked.granted.cancelled():
                woken = asked.passed
            elif blocking is None:
                self._enter(asked)
                woken = set(asked.bounds)
            else:
                self._park(asked, blocking)
                woken = asked.passed | {blocking}
            for bound in woken:
                self._wake(bound)

    @staticmethod
    def _blocks(bound: Bound, asked: _Asked) -> bool:
        others = bound not in asked.passed and (bound.waiting or bound.called)
        return bool(others) or bound.wait() > 0

    def _enter(self, asked: _Asked) -> None:
        self._free -= 1
        for bound in asked.bounds:
            bound.entered()
        asked.granted.set_result(None)

    def _leave(self, asked: _Asked) -> None:
        self._free += 1
        for bound in asked.bounds:
            bound.left()
            self._wake(bound)
        self._dispatch()

    @staticmethod
    def _park(asked: _Asked, bound: Bound) -> None:
        if bound in asked.passed:
            bound.waiting.appendleft(asked)
        else:
            bound.waiting.append(asked)
            asked.passed.add(bound)

    def _wake(self, bound: Bound) -> None:
        """Move the first request that waits for a bound to the queue for slots, when it may run."""
        if not bound.waiting or bound.called or bound.timer:
            return
        seconds = bound.wait()
        if seconds <= 0:
            bound.called = bound.waiting.popleft()
            self._queue.appendleft(bound.called)
        elif seconds < math.inf:
            loop = asyncio.get_running_loop()
            bound.timer = loop.call_later(seconds, self._ring, bound)

    def _ring(self, bound: Bound) -> None:
        bound.timer = None
        self._wake(bound)
        self._dispatch()
