"""Metrics, read when somebody asks, from what is counted anyway: they cost the poller nothing.

Everything is read in the listener's thread while the event loop goes on: numbers one by one, and
dictionaries by a copy, which no other thread can come between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from sentinelone_source.console.console import Console
from sentinelone_source.feed.feed import Feed
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.sink import Sink
from sentinelone_source.telemetry.row_history import RowHistory
from sentinelone_source.telemetry.troubles import Troubles

PREFIX = "sentinelone_source_"
FEED = ("console", "feed")
COLUMN = (*FEED, "column")

Samples = Iterable[tuple[Sequence[str], float]]
"""Values, each with its labels."""


class Source:
    """Everything there is to know about a running source.

    Args:
        dead_letters: how much there is of them.
        feeds: and what they count.
        consoles: and what was asked of them.
        sink: that takes the rows.
        intervals: by mapping, seconds between two sweeps.

    Attributes:
        troubles: the last error of each feed.
        history: rows of the last hour.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        feeds: Sequence[Feed],
        consoles: Sequence[Console],
        sink: Sink,
        intervals: Mapping[str, float],
    ) -> None:
        self.dead_letters = dead_letters
        self.feeds = feeds
        self.consoles = consoles
        self.sink = sink
        self.intervals = intervals
        self.troubles = Troubles()
        self.history = RowHistory(feeds)
        self._waited: dict[str, float] = {}

    def waiting(self) -> dict[str, float]:
        """By mapping, how long the hand-over under way has been waiting."""
        began, now = self.sink.backpressure.waiting, time.monotonic()
        return {name: max(0.0, now - began.get(name, now)) for name in self.intervals}

    def refused(self) -> set[str]:
        """Mappings of whose rows the shipper takes none, from one console at least."""
        return {mapping for _, mapping in self.sink.backpressure.refused.copy()}

    def waited(self) -> dict[str, float]:
        """By mapping, time spent handing over; never less than it was."""
        done = self.sink.backpressure.waited.copy()
        for name, going_on in self.waiting().items():
            so_far = done.get(name, 0.0) + going_on
            self._waited[name] = max(self._waited.get(name, 0.0), so_far)
        return self._waited


def _count(field: str) -> Callable[[Source], Samples]:
    """A field of what feeds count."""
    return lambda source: [(_of(feed), getattr(feed.counts, field)) for feed in source.feeds]


def _by_label(field: str) -> Callable[[Source], Samples]:
    """The same, for what is counted by column or by age."""
    return lambda source: [
        ([*_of(feed), label], count)
        for feed in source.feeds
        for label, count in dict(getattr(feed.counts, field)).items()
    ]


def _of(feed: Feed) -> list[str]:
    return [feed.console.name, feed.name]


def _behind(source: Source) -> Samples:
    return [(_of(feed), feed.behind(source.intervals[feed.name])) for feed in source.feeds]


def _last_success(source: Source) -> Samples:
    last = [(_of(feed), feed.last_success) for feed in source.feeds]
    return [(labels, at) for labels, at in last if at is not None]


def _refused(source: Source) -> Samples:
    tables = {feed.name: feed.table for feed in source.feeds}
    refused = source.refused()
    return [((name, table), float(name in refused)) for name, table in tables.items()]


def _requests(source: Source) -> Iterator[tuple[Sequence[str], float]]:
    for console in source.consoles:
        for (endpoint, code), count in dict(console.requests).items():
            yield [console.name, endpoint, code], count


def _expiry(source: Source) -> Samples:
    ends = [(console.name, console.expiry.at) for console in source.consoles]
    return [([name], at) for name, at in ends if at is not None]


class Definition(NamedTuple):
    """A metric: its name without the prefix, what it means, and where its values are."""

    kind: Any
    name: str
    text: str
    labels: Sequence[str]
    samples: Callable[[Source], Samples]


_counter = partial(Definition, CounterMetricFamily)
_gauge = partial(Definition, GaugeMetricFamily)


METRICS = (
    _counter("fetched", "Records read, known ones too.", FEED, _count("fetched")),
    _counter("rows", "Rows handed over.", FEED, _count("rows")),
    _counter("row_bytes", "Bytes of the rows handed over.", FEED, _count("bytes")),
    _counter("suppressed", "Records that had been handed over before.", FEED, _count("suppressed")),
    _counter(
        "late_rows",
        "Rows that became visible late, by the age in seconds at which they were found.",
        (*FEED, "age"),
        _by_label("late"),
    ),
    _counter(
        "baseline",
        "Records older than the feed's start, or than what is remembered of it.",
        FEED,
        _count("baseline"),
    ),
    _counter(
        "unasked",
        "Records outside of what was asked for: the console ignores its filter.",
        FEED,
        _count("unasked"),
    ),
    _counter(
        "postponed",
        "Rows that the shipper refuses for now. They are read again.",
        FEED,
        _count("postponed"),
    ),
    _counter(
        "unchanged",
        "Rows left out because only volatile columns changed.",
        FEED,
        _count("unchanged"),
    ),
    _counter("unchanged_bytes", "Bytes of unchanged rows.", FEED, _count("unchanged_bytes")),
    _counter("dropped", "Records that a `[[drop]]` removed.", FEED, _count("dropped")),
    _counter("dead_letters", "Records and rows kept as dead letters.", FEED, _count("dead")),
    _counter("pages", "Pages read and handed over.", FEED, _count("pages")),
    _counter(
        "misfit_values",
        "Values left out because their column's type does not take them.",
        COLUMN,
        _by_label("misfits"),
    ),
    _counter("cut_values", "Values truncated for their length.", COLUMN, _by_label("cut")),
    _gauge(
        "dead_letter_files",
        "Files of dead letters, rotated ones too.",
        (),
        lambda source: [((), len(source.dead_letters.sizes))],
    ),
    _gauge(
        "dead_letter_bytes",
        "Bytes of the files of dead letters.",
        (),
        lambda source: [((), sum(source.dead_letters.sizes.values()))],
    ),
    _gauge("behind_seconds", "How long ago the feed was complete; 0 when idle.", FEED, _behind),
    _gauge(
        "last_success_timestamp_seconds", "When the last complete sweep began.", FEED, _last_success
    ),
    _counter(
        "handover_wait_seconds",
        "Time spent handing rows to the shipper.",
        ("feed",),
        lambda source: [([name], value) for name, value in source.waited().items()],
    ),
    _gauge(
        "handover_waiting_seconds",
        "How long the hand-over under way has been waiting. 0 without one.",
        ("feed",),
        lambda source: [([name], value) for name, value in source.waiting().items()],
    ),
    _gauge(
        "table_refused",
        "1 while the shipper refuses every row of the table.",
        ("feed", "table"),
        _refused,
    ),
    _counter(
        "requests",
        "Requests to the console. The code is the HTTP status, or none without a whole answer.",
        ("console", "endpoint", "code"),
        _requests,
    ),
    _gauge("token_expiry_timestamp_seconds", "When the API token expires.", ("console",), _expiry),
)
"""Every metric of this program but `build_info`, in the order of the page."""
