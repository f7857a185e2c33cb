"""How far a feed is complete, and what is stored of a page that has been handed over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, NamedTuple

from sentinelone_source.mapping.heartbeat import LastRow


@dataclass(frozen=True)
class Progress:
    """How far a feed is complete. Moments and positions are microseconds since 1970.

    Attributes:
        watermark: the position up to which the feed is complete; None before the first page.
        origin: where the first sweep began; None when it took everything there was.
        signpost: the console's clock when the last complete sweep began; None before one ended.
        swept_at: our clock when that sweep began.
        rescanned_at: our clock when the last complete re-scan began.
        forgotten: keys of earlier positions have been deleted; None if none has been.
        rechecked: pairs of an age, in microseconds, and the position up to which everything has
            been read at that age or later.
    """

    watermark: int | None = None
    origin: int | None = None
    signpost: int | None = None
    swept_at: int | None = None
    rescanned_at: int | None = None
    forgotten: int | None = None
    rechecked: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Progress:
        """From the state's columns, in the order of the attributes."""
        *moments, rechecked = row
        ages = tuple((age, at) for age, at in json.loads(rechecked))
        return replace(cls(*moments), rechecked=ages)

    def row(self) -> tuple[int | str | None, ...]:
        """The state's columns."""
        *moments, rechecked = astuple(self)
        return *moments, json.dumps(rechecked)


@dataclass(frozen=True)
class FeedState:
    """One feed's line of `state show`."""

    console: str
    mapping: str
    progress: Progress
    keys: int


class RowKeys(NamedTuple):
    """What is stored of a page's rows.

    Attributes:
        keys: the keys of the rows.
        positions: their positions, microseconds.
        last_rows: by id, the last of the rows; empty if the feed has no heartbeat.
    """

    keys: list[str]
    positions: list[int]
    last_rows: Mapping[str, LastRow] = {}


class SettledPage(NamedTuple):
    """What is stored of a page when it is settled.

    Attributes:
        feed: the feed's number.
        rows: of the page.
        progress: how far the feed is complete with it.
        prune_before: keys before this position are deleted; None keeps all.
    """

    feed: int
    rows: RowKeys
    progress: Progress
    prune_before: int | None


class UnsettledPage(NamedTuple):
    """A page that was handed over and is not settled yet.

    Attributes:
        number: as `State.record_unsettled` gave it.
        feed: the feed's number.
        progress: how far the feed is complete with this page.
        prune_before: keys before this position are deleted; None keeps all.
    """

    number: int
    feed: int
    progress: Progress
    prune_before: int | None
