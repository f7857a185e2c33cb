"""Metrics, read when somebody asks, from what is counted anyway: they cost the poller nothing.

Everything is read in the listener's thread while the event loop goes on: numbers one by one, and
dictionaries by a copy, which no other thread can come between.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sentinelone_source import __version__
from sentinelone_source.console.console import Console
from sentinelone_source.feed.feed import Feed
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.way import Way
from sentinelone_source.telemetry.listener import Reply

PREFIX = "sentinelone_source_"
FEED = ("console", "feed")
RECORDS = {
    "rows": ("rows", "Rows handed over."),
    "bytes": ("row_bytes", "Bytes of the rows handed over, as lines."),
    "suppressed": ("suppressed", "Records that had been handed over before."),
    "late": ("late_rows", "Of the rows, those that became visible after their time had passed."),
    "noted": ("noted", "Records older than the feed's start, or than what is remembered of it."),
    "unasked": ("unasked", "Records older than what was asked for: the console ignores filters."),
    "postponed": ("postponed", "Rows that the shipper refused for now; they are read again."),
    "dropped": ("dropped", "Records taken out by the mapping's [[drop]]."),
    "dead": ("dead_letters", "Records that could not become rows."),
    "pages": ("pages", "Pages read and handed over."),
}
"""By field of a feed's counts: the metric's name and what it means."""
COLUMNS = {
    "misfits": ("misfit_values", "Values that their column's type does not take, left out."),
    "cut": ("cut_values", "Values cut for their length."),
}
"""The same, for what is counted by column."""


class Source(Collector):
    """Everything there is to know about a running source.

    Args:
        dead_letters: how much there is of them.
        feeds: and what they count.
        consoles: and what was asked of them.
        way: to the shipper.
        intervals: by mapping, seconds between two sweeps.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        feeds: Sequence[Feed],
        consoles: Sequence[Console],
        way: Way,
        intervals: Mapping[str, float],
    ) -> None:
        self._dead_letters = dead_letters
        self._feeds = feeds
        self.consoles = consoles
        self.way = way
        self._intervals = intervals
        self._waited: dict[str, float] = {}

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        about = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily(f"{PREFIX}build", "What is running.", about)
        yield from self._records()
        yield from self._progress()
        yield from self._handover()
        yield from self._requests()

    def _records(self) -> Iterable[Metric]:
        for field, (name, text) in RECORDS.items():
            family = _counter(name, text, FEED)
            for feed in self._feeds:
                family.add_metric(_labels(feed), getattr(feed.counts, field))
            yield family
        for field, (name, text) in COLUMNS.items():
            family = _counter(name, text, (*FEED, "column"))
            for feed in self._feeds:
                for column, count in dict(getattr(feed.counts, field)).items():
                    family.add_metric([*_labels(feed), column], count)
            yield family
        sizes = self._dead_letters.sizes
        yield _gauge(
            "dead_letter_files", "Files of dead letters, rotated ones too.", value=len(sizes)
        )
        yield _gauge("dead_letter_bytes", "Bytes of these files.", value=sum(sizes.values()))

    def _progress(self) -> Iterable[Metric]:
        behind = _gauge("behind_seconds", "How long ago the feed was complete; 0 when idle.", FEED)
        success = _gauge(
            "last_success_timestamp_seconds",
            "When the last sweep began that came to its end.",
            FEED,
        )
        for feed in self._feeds:
            behind.add_metric(_labels(feed), feed.behind(self._intervals[feed.name]))
            if feed.last_success is not None:
                success.add_metric(_labels(feed), feed.last_success)
        yield behind
        yield success

    def _handover(self) -> Iterable[Metric]:
        total = _counter(
            "handover_wait_seconds", "Time spent waiting for the shipper to take rows.", ("feed",)
        )
        current = _gauge(
            "handover_waiting_seconds", "How long the shipper has let us wait by now.", ("feed",)
        )
        waits, now = self.way.waits, time.monotonic()
        waited, waiting = waits.waited.copy(), waits.waiting
        for name in self._intervals:
            going_on = max(0.0, now - waiting[name]) if name in waiting else 0.0
            so_far = max(self._waited.get(name, 0.0), waited.get(name, 0.0) + going_on)
            self._waited[name] = so_far  # a wait that ends while we look must not make it less
            total.add_metric([name], so_far)
            current.add_metric([name], going_on)
        yield total
        yield current
        yield self._refused()

    def _refused(self) -> Metric:
        text = "1 while the shipper refuses every row of the table."
        family = _gauge("table_refused", text, ("feed", "table"))
        refused = self.way.waits.refused
        for name, table in {feed.name: feed.table for feed in self._feeds}.items():
            family.add_metric([name, table], name in refused)
        return family

    def _requests(self) -> Iterable[Metric]:
        requests = _counter(
            "requests",
            "Requests to the console, by what came back.",
            ("console", "endpoint", "code"),
        )
        expiry = _gauge(
            "token_expiry_timestamp_seconds", "When the API token expires.", ("console",)
        )
        for console in self.consoles:
            for (endpoint, code), count in dict(console.requests).items():
                requests.add_metric([console.name, endpoint, code], count)
            if console.expiry.at is not None:
                expiry.add_metric([console.name], console.expiry.at)
        yield requests
        yield expiry


class Exposition:
    """The page `/metrics`: the source's metrics, and the process's."""

    def __init__(self, source: Source) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(source)
        ProcessCollector(registry=self._registry)

    def page(self, accept: str) -> Reply:
        """Prometheus text, or OpenMetrics if that is asked for."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is none
            encode, content_type = choose_encoder("")
        return Reply(200, encode(self._registry), content_type)


def _labels(feed: Feed) -> list[str]:
    return [feed.console.name, feed.name]


def _counter(name: str, text: str, labels: Sequence[str]) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}{name}", text, labels=labels)


def _gauge(
    name: str, text: str, labels: Sequence[str] = (), value: float | None = None
) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}{name}", text, value=value, labels=labels or None)
