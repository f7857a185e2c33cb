"""What a backfill reads: windows of the past of each feed, in a file that survives a crash."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import structlog

from sentinelone_source.atomic_file import replace_file
from sentinelone_source.errors import ConfigError, StateError
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.state.files import STATE_FILE, KeySnapshot, read_snapshot
from sentinelone_source.times import SYSTEM_CLOCK, to_iso
from sentinelone_source.timings import DEFAULTS

_PARTS = 32
"""Into how many windows the span is cut for a feed that is read in several passes."""
_log = structlog.get_logger()


class PastSpan(NamedTuple):
    """From `since` to before `until`, in microseconds; None ends where `run` began."""

    since: int
    until: int | None

    @classmethod
    def of(cls, since: int, until: int | None) -> Self:
        """A span whose moments are in the past and in order. Raises ConfigError."""
        now = SYSTEM_CLOCK.now()
        for option, moment in (("--since", since), ("--until", until)):
            if moment is not None and moment > now:
                raise ConfigError(f"{option}: {to_iso(moment)} is in the future; write a past time")
        if until is not None and until <= since:
            raise ConfigError(f"--until: {to_iso(until)} is not after --since, {to_iso(since)}")
        return cls(since, until)


class PlannedWindow(msgspec.Struct):
    """A part of one feed's past: positions from `start` to before `end`, in microseconds."""

    console: str
    feed: str
    start: int
    end: int

    @property
    def feed_name(self) -> str:
        """Its feed, as `console/mapping`."""
        return f"{self.console}/{self.feed}"


class Arguments(msgspec.Struct, frozen=True):
    """The arguments of a backfill, as they were typed."""

    since: str
    until: str | None
    tables: list[str]

    def __str__(self) -> str:
        words = ["--since", self.since]
        words += ["--until", self.until] if self.until is not None else []
        return " ".join([*words, *(f"--table {table}" for table in self.tables)])


class BackfillPlan(msgspec.Struct):
    """A backfill that was begun with these arguments, for these feeds as `console/mapping`.

    A window's place in the list is part of its name in the state. So a window that is divided keeps
    its place, and the new part is appended.
    """

    arguments: Arguments
    feeds: list[str]
    windows: list[PlannedWindow]


class PlanFile:
    """Keeps the plan of a backfill in its directory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "plan.json"

    def read(self) -> BackfillPlan | None:
        """The plan; None if no backfill was begun here. Raises StateError if it is damaged."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=BackfillPlan)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise StateError(
                f"{self._path}: is damaged ({error}); use --restart to forget it"
            ) from None

    def write(self, plan: BackfillPlan) -> None:
        """Replace the plan; the new one is on disk when this returns. Raises StateError."""
        replace_file(self._path, msgspec.json.encode(plan))

    def remove(self) -> None:
        """Forget the plan."""
        self._path.unlink(missing_ok=True)


def windows_of(
    feeds: Sequence[Feed], span: PastSpan, folder: Path, settle: float
) -> list[PlannedWindow]:
    """The windows of each feed: usually one, and none if `run` has read the whole span.

    If `run` has not begun with a feed, its windows end at the present. Its state directory is read
    without a lock; `run` settles a page after `settle` seconds. Raises StateError.
    """
    now = SYSTEM_CLOCK.now()
    began = {} if span.until is not None else _began(folder, settle + DEFAULTS.backfill_first_page)
    windows = []
    for feed in feeds:
        console, end = feed.console.name, began.get((feed.console.name, feed.name), now)
        end = span.until or end or span.since
        if end > span.since:
            # a window with several passes cannot be divided later
            parts = _PARTS if len(feed.mapper.mapping.request.passes) > 1 else 1
            ends = [span.since + (end - span.since) * n // parts for n in range(parts + 1)]
            windows += [PlannedWindow(console, feed.name, *one) for one in pairwise(ends)]
        else:
            _log.info("backfill_not_needed", console=console, feed=feed.name)
    return windows


def _began(folder: Path, patience: float) -> dict[tuple[str, str], int | None]:
    """By console and mapping, where the first sweep of `run` began; None if it took everything.

    Feeds that have not begun are left out. If `run` has just started, wait up to `patience`
    seconds until it has settled the first page of each feed.
    """
    if not (folder / STATE_FILE).exists():
        return {}
    told = False
    while True:
        with KeySnapshot(folder) as keys:
            feeds = {name: progress for name, (_, progress) in keys.feeds.items()}
        begun = {name: one.origin for name, one in feeds.items() if one != Progress()}
        left = read_snapshot(folder).started + patience - time.time()
        if begun.keys() == feeds.keys() or left <= 0:
            return begun
        if not told:
            waiting = sorted("/".join(name) for name in feeds.keys() - begun.keys())
            _log.info("backfill_waits", feeds=waiting, seconds=round(left))
            told = True
        time.sleep(min(1.0, left))
