"""A state directory with something in it, and what a state says."""

from __future__ import annotations

from pathlib import Path

from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.state.schema import RowKeys, SettledPage
from sentinelone_source.feed.state.state import State

KEYS = ["a@1", "b@1", "c@1"]
POSITIONS = [10, 20, 30]


def filled(folder: Path, keys: list[str] | None = None) -> Path:
    """Makes a state with one feed and one settled page; gives its folder."""
    keys = KEYS if keys is None else keys
    state = State(folder)
    feed = state.feed("acme", "threats")
    positions = [10 * (place + 1) for place in range(len(keys))]
    progress = Progress(watermark=30, origin=5, signpost=30, swept_at=31)
    page = SettledPage(feed, RowKeys(keys, positions), progress, 0)
    state.settle([state.record_unsettled(page)])
    state.close()
    return folder
