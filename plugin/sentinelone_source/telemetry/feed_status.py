"""How each feed is doing, in one word, from what is counted and logged anyway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from sentinelone_source.feed.feed import Feed
from sentinelone_source.telemetry.source import Source, Trouble
from sentinelone_source.timings import DEFAULTS

LATE = 900.0
"""Seconds behind from which on a feed needs somebody's attention."""


class Situation(Enum):
    """Words for people, the worst last."""

    OK = "up to date"
    CATCHING_UP = "catching up"
    BEHIND = "behind"
    RETRYING = "retrying"
    WAITING = "waiting for the shipper"
    REFUSED = "refused"

    @property
    def severity(self) -> int:
        """Greater is worse."""
        return list(Situation).index(self)

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should look."""
        return self.severity > Situation.CATCHING_UP.severity


class FeedStatus(NamedTuple):
    """One feed now, by its place among the source's feeds; `behind` is in seconds, 0 when idle.

    `trouble` is its last error; one that is over has `until` in the past.
    """

    number: int
    feed: Feed
    state: Situation
    behind: float
    trouble: Trouble


def read_feeds(source: Source) -> Iterator[FeedStatus]:
    """Every feed as it is now."""
    now, waiting = time.time(), source.waiting()
    refused = source.refused()
    for number, feed in enumerate(source.feeds):
        behind = feed.behind
        trouble = source.troubles.of(feed.console.name, feed.name)
        is_waiting = waiting[feed.name] >= DEFAULTS.handover_notice or feed.name in refused
        if trouble.until > now and trouble.refusal:
            state = Situation.REFUSED
        elif behind < 1.0:
            state = Situation.OK
        elif is_waiting:
            state = Situation.WAITING
        elif trouble.until > now:
            state = Situation.RETRYING
        else:
            is_late = behind >= LATE and feed.last_success is not None
            state = Situation.BEHIND if is_late else Situation.CATCHING_UP
        yield FeedStatus(number, feed, state, behind, trouble)
