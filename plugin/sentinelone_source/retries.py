"""Trying again, with waits that grow."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

LONGEST_OBEYED = 3600.0
"""Seconds: the most that a `Retry-After` makes us wait."""


async def insist(
    call: Callable[[], Awaitable[T]],
    worth: Callable[[Exception], bool | float],
    *,
    first: float,
    longest: float,
    patience: float | None,
) -> T:
    """Call until it succeeds.

    Args:
        call: what may fail.
        worth: whether an error is worth another try; a number is the seconds that the other side
            asks for. They lengthen the wait up to an hour, and never shorten it.
        first: seconds before the first new try, doubled for each further one.
        longest: seconds between tries at most, if the other side asks for nothing.
        patience: seconds after which the last error stands; None for ever.

    Raises:
        whatever `call` raised last.
    """
    began, grown = time.monotonic(), first
    while True:
        try:
            return await call()
        except Exception as error:
            again = worth(error)
            if again is False:
                raise
            wait = next_wait(grown, 0.0 if again is True else again)
            if patience is not None and wait >= (left := began + patience - time.monotonic()):
                await asyncio.sleep(left)
                raise
        await asyncio.sleep(wait)
        grown = min(2 * grown, longest)


def next_wait(grown: float, asked: float) -> float:
    """Seconds until the next try: what has grown, at most a quarter longer, or what is asked."""
    return max(grown * random.uniform(1.0, 1.25), min(asked, LONGEST_OBEYED))  # noqa: S311
