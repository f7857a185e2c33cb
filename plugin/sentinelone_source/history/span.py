"""Which positions of which feeds a backfill reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from sentinelone_source.errors import ConfigError
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.state.schema import STATE_FILE
from sentinelone_source.feed.state.state import State
from sentinelone_source.history.plan import PlannedWindow
from sentinelone_source.times import SYSTEM_CLOCK, to_iso

_log = structlog.get_logger()


class BackfillSpan(NamedTuple):
    """Moments in microseconds: from `since`, and before `until`; None ends where `run` began."""

    since: int
    until: int | None

    @classmethod
    def of(cls, since: int, until: int | None) -> Self:
        """The span that was asked for.

        Raises:
            ConfigError: it is not one of the past.
        """
        now = SYSTEM_CLOCK.now()
        for option, moment in (("--since", since), ("--until", until)):
            if moment is not None and moment > now:
                raise ConfigError(f"{option}: {to_iso(moment)} is in the future; write a past time")
        if until is not None and until <= since:
            raise ConfigError(f"--until: {to_iso(until)} is not after --since, {to_iso(since)}")
        return cls(since, until)


def windows_of(feeds: Sequence[Feed], span: BackfillSpan, folder: Path) -> list[PlannedWindow]:
    """One window a feed, as far as there is anything to read for it.

    Args:
        folder: the state of `run`, which is read without its lock. Where it has not begun with a
            feed, the window ends now.
    """
    now = SYSTEM_CLOCK.now()
    began = _began(folder) if span.until is None else {}
    windows = []
    for feed in feeds:
        console, end = feed.console.name, began.get((feed.console.name, feed.name), now)
        end = span.until or end or span.since
        if end > span.since:
            windows.append(PlannedWindow(console, feed.name, span.since, end))
        else:
            _log.info("backfill_not_needed", console=console, feed=feed.name)
    return windows


def _began(folder: Path) -> dict[tuple[str, str], int | None]:
    """By console and mapping, where the feeds of `run` began; None for one that took everything."""
    if not (folder / STATE_FILE).exists():
        return {}
    state = State(folder, read_only=True)
    try:
        feeds = state.show()
    finally:
        state.close()
    return {
        (one.console, one.mapping): one.progress.origin
        for one in feeds
        if one.progress.watermark is not None or one.progress.origin is not None
    }
