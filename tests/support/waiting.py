"""Bounded waits: a test that waits for something says for how long at most."""

from __future__ import annotations

import time
from collections.abc import Callable

LONG = 120.0
"""Seconds: far above what a loaded machine with a slow disk needs, far below what hangs."""


def until(
    met: Callable[[], object], what: str = "what was waited for", limit: float = LONG
) -> None:
    """Returns once the condition is met.

    Raises:
        AssertionError: it was not met in time.
    """
    end = time.monotonic() + limit
    while not met():
        assert time.monotonic() < end, f"{what} has not happened within {limit:g} seconds"
        time.sleep(0.01)


def settled(value: Callable[[], object], quiet: float, limit: float = 180.0) -> None:
    """Returns once a value has been the same for some seconds.

    Raises:
        AssertionError: it still changes.
    """
    end = time.monotonic() + limit
    last, since = value(), time.monotonic()
    while time.monotonic() < since + quiet:
        assert time.monotonic() < end, f"still changing after {limit:g} seconds"
        time.sleep(0.2)
        if (now := value()) != last:
            last, since = now, time.monotonic()
