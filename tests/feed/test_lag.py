"""How far a feed is behind, as a number."""

from __future__ import annotations

import pytest

from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.times import SECOND

NOW = 1_000_000 * SECOND
MADE = NOW - 60 * SECOND
START = Plan(lookback=0, start_back=3600 * SECOND)


def ago(seconds: int) -> int:
    return NOW - seconds * SECOND


@pytest.mark.parametrize(
    ("plan", "progress", "behind"),
    [
        (START, Progress(), 3660.0),
        (Plan(lookback=0, start_at=ago(500)), Progress(), 500.0),
        (Plan(lookback=0), Progress(), 60.0),
        (Plan(lookback=0, inventory=True), Progress(watermark=ago(9000)), 9000.0),
        (START, Progress(watermark=ago(90)), 90.0),
        (START, Progress(watermark=ago(90), signpost=ago(90), swept_at=ago(90)), 90.0),
        # the console's clock is ten minutes ahead of ours, or behind it
        (START, Progress(watermark=ago(-600), signpost=ago(-600), swept_at=ago(0)), 0.0),
        (START, Progress(watermark=ago(-500), signpost=ago(-500), swept_at=ago(100)), 100.0),
        (START, Progress(watermark=ago(700), signpost=ago(700), swept_at=ago(100)), 100.0),
        (START, Progress(watermark=ago(-5)), 0.0),
    ],
)
def test_seconds_behind(plan: Plan, progress: Progress, behind: float) -> None:
    """Seconds behind count from the last whole sweep, else from how far the first one came."""
    assert plan.seconds_behind(progress, MADE, NOW) == behind
