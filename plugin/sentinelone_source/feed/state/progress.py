"""How far a feed has come, and what is known of a page that has been handed over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, NamedTuple

from sentinelone_source.mapping.heartbeat import LastRow


@dataclass(frozen=True)
class Progress:
    """How far a feed has come. Moments are microseconds since 1970, of the clock that is named.

    Attributes:
        watermark: the position up to which the feed is complete; None before the first page.
        origin: where the first sweep began; None when it took everything there was.
        signpost: the console's clock when the last complete sweep began; None before one ended.
        swept_at: our clock at the same moment.
        rescanned_at: our clock when the last complete re-scan began.
        forgotten: keys of earlier positions have been forgotten; None when none has.
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
    """What is remembered of rows.

    Attributes:
        last_rows: the last of them by id, where the feed has a heartbeat.
    """

    keys: list[str]
    positions: list[int]
    last_rows: Mapping[str, LastRow] = {}


class SettledPage(NamedTuple):
    """A page that may be forgotten, but for this.

    Attributes:
        feed: the feed's number.
        rows: of the page.
        progress: how far the feed is complete with it.
        prune_before: keys of earlier positions will not be asked for again; None forgets none.
    """

    feed: int
    rows: RowKeys
    progress: Progress
    prune_before: int | None


class UnsettledPage(NamedTuple):
    """A page that was handed over.

    Attributes:
        number: as `State.record_unsettled` gave it.
        feed: the feed's number.
        progress: how far the feed is complete with this page.
        prune_before: keys of earlier positions will not be asked for again; None forgets none.
    """

    number: int
    feed: int
    progress: Progress
    prune_before: int | None
