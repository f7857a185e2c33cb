"""Waits between tries."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinelone_source.errors import Unavailable
from sentinelone_source.http.retry import Backoff, next_wait


@given(st.floats(0, 60), st.floats(0, 1e12))
def test_asked_waits(grown: float, asked: float) -> None:
    """What the other side asks for lengthens a wait, up to an hour, and never shortens it."""
    wait = next_wait(grown, asked)
    assert wait >= max(grown, min(asked, 3600))
    assert wait <= max(1.25 * grown, min(asked, 3600))


def test_thousands_of_tries() -> None:
    """However often something failed, it is tried again."""
    backoff = Backoff(1e-9, 1e-6, None)

    async def fail_often() -> int:
        tried = 0
        while tried < 1100:
            assert await backoff.wait(Unavailable("away"))
            tried += 1
        return tried

    assert asyncio.run(fail_often()) == 1100


@pytest.mark.parametrize("asked", [0.0, 1e9])
def test_patience(asked: float) -> None:
    """There is an end when patience is over, whatever was asked for."""

    async def fail() -> None:
        backoff = Backoff(0.01, 0.02, 0.05)
        while await backoff.wait(Unavailable("away", asked)):
            pass

    began = time.monotonic()
    asyncio.run(fail())
    assert 0.05 <= time.monotonic() - began < 5
