"""A bounded number of requests at once, in the order of asking."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Bound:
    """What else a request waits for. Those that wait for it are let go one by one, in order.

    Attributes:
        waiting: for this bound, and not for a slot yet.
        called: the first of them, once it waits for a slot.
        timer: until the first may ask again.
    """

    def __init__(self) -> None:
        self.waiting: deque[_Asked] = deque()
        self.called: _Asked | None = None
        self.timer: asyncio.TimerHandle | None = None

    def wait(self) -> float:
        """Seconds until a request may be made; infinite until another one has left."""
        raise NotImplementedError

    def entered(self) -> None:
        """A request is made."""

    def left(self) -> None:
        """A request has ended."""


class Share(Bound):
    """A part of the slots.

    Args:
        most: how many requests may be under way.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._free = most

    def wait(self) -> float:
        """Seconds until a request may be made; infinite until another one has left."""
        return 0.0 if self._free > 0 else math.inf

    def entered(self) -> None:
        """A request is made."""
        self._free -= 1

    def left(self) -> None:
        """A request has ended."""
        self._free += 1


class _Asked:
    """A request that waits, or is under way.

    Attributes:
        passed: bounds whose queues it has been through.
    """

    def __init__(self, bounds: tuple[Bound, ...]) -> None:
        self.bounds = bounds
        self.passed: set[Bound] = set()
        self.granted = asyncio.get_running_loop().create_future()


class Slots:
    """So many requests at once; one that leaves lets the next in.

    Args:
        number: of requests under way at once.
        shared: by several parties; then each takes a half of the slots at most, and so do all
            together that are slow.

    Attributes:
        slow: the share of those that keep a slot for long.
    """

    def __init__(self, number: int, *, shared: bool = False) -> None:
        self._free = number
        self._most = max(1, number // 2) if shared else number
        self._queue: deque[_Asked] = deque()
        self.slow = self.share()

    def share(self) -> Share:
        """The share of one party."""
        return Share(self._most)

    async def run(
        self, call: Callable[[], Coroutine[Any, Any, T]], *bounds: Bound, urgent: bool = False
    ) -> T:
        """Make a request when there is a slot, and no bound is in the way.

        The slot is taken until the call has ended, also when nobody waits for it any more: a
        thread cannot be stopped.

        Args:
            call: makes the request.
            bounds: for what it has to wait, besides a slot.
            urgent: before all others.
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
        """Let the first that waits for a bound ask for a slot, as soon as it may."""
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
