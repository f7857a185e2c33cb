"""Waits between tries."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinelone_source.errors import Unavailable
from sentinelone_source.http.retry import LONGEST_OBEYED, next_wait, retry


@given(st.floats(0, 60), st.floats(0, 1e12))
def test_asked_waits(grown: float, asked: float) -> None:
    """What the other side asks for lengthens a wait, up to an hour, and never shortens it."""
    wait = next_wait(grown, asked)
    assert wait >= max(grown, min(asked, LONGEST_OBEYED))
    assert wait <= max(1.25 * grown, min(asked, LONGEST_OBEYED))


def test_thousands_of_tries() -> None:
    """However often something failed, it is tried again."""
    left = iter(range(1100, -1, -1))

    async def call() -> str:
        if next(left):
            raise Unavailable("away")
        return "done"

    tried = retry(call, lambda _: True, first=1e-9, longest=1e-6, patience=None)
    assert asyncio.run(tried) == "done"


@pytest.mark.parametrize("asked", [True, 1e9])
def test_patience(asked: bool | float) -> None:
    """The last error stands when patience is over, whatever was asked for."""

    async def call() -> None:
        raise Unavailable("away")

    tried = retry(call, lambda _: asked, first=0.01, longest=0.02, patience=0.05)
    with pytest.raises(Unavailable, match="away"):
        asyncio.run(tried)
