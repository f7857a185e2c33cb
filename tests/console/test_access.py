"""What a 401 is about: the token, or one endpoint."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from sentinelone_source.config.defaults import ConsoleTable
from sentinelone_source.console.access import Access
from sentinelone_source.console.token import ApiToken
from sentinelone_source.timings import Timings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("before", "now", "accepted"),
    [
        (True, True, True),
        (True, False, False),
        (True, None, True),
        (None, True, True),
        (None, False, False),
        (None, None, False),
        (False, None, False),
    ],
)
def test_what_the_other_endpoint_says(
    tmp_path: Path, before: bool | None, now: bool | None, accepted: bool
) -> None:
    """A token counts as accepted if the other endpoint accepts it, now or else before."""
    token = ApiToken(ConsoleTable("acme", "https://a.example", token_file=str(tmp_path / "token")))
    (tmp_path / "token").write_text("token")

    async def decide() -> bool:
        access = Access("acme", token, ["groups", "threats"], Timings(token_probe=5.0))
        stamp = token.stamp()

        async def ask(other: str) -> None:
            assert other == "threats"
            if now is not None:
                access.record(other, stamp, accepted=now)

        if before is not None:
            access.record("threats", stamp, accepted=before)
        sent = time.monotonic() + 1e-6  # what was said before is older
        return await access.accepted_elsewhere("groups", stamp, sent, ask)

    assert asyncio.run(decide()) is accepted
