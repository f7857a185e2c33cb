"""Trying again, with waits that grow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sentinelone_source.errors import Retriable

T = TypeVar("T")


async def insist(
    call: Callable[[], Awaitable[T]],
    worth: Callable[[Exception], bool | float],
    *,
    first: float,
    longest: float,
    patience: float | None,
) -> T:
    """Call until it succeeds.

    The library for it is imported at the first failure: most processes never need it.

    Args:
        call: what may fail.
        worth: whether an error is worth another try; a number is the seconds to wait before it.
        first: seconds before the first new try, doubled for each further one, with jitter.
        longest: seconds between tries at most.
        patience: seconds after which the last error stands; None for ever.

    Raises:
        whatever `call` raised last.
    """
    try:
        return await call()
    except Retriable as error:
        failed: Exception | None = error
    import stamina

    stamina.instrumentation.set_on_retry_hooks(())  # who calls says what happened, and to whom
    tries = stamina.retry_context(
        on=worth,
        attempts=None,
        timeout=patience,
        wait_initial=first,
        wait_max=longest,
        wait_jitter=first,
    )
    async for attempt in tries:
        with attempt:
            if failed is not None:  # the first try was before this loop, which it now starts
                known, failed = failed, None
                raise known
            return await call()
    raise AssertionError  # the loop ends with a result or an error
