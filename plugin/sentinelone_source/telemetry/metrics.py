"""The page `/metrics`, from what is counted anyway: metrics cost the poller nothing.

Everything is read in the listener's thread while the event loop goes on: numbers one by one, and
dictionaries by a copy, which no other thread can come between.

The lines are made here: prometheus_client checks each name and label of each line again, which for
500 consoles takes ten times as long.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder

from sentinelone_source import __version__
from sentinelone_source.feed.feed import Feed
from sentinelone_source.http.server import Reply
from sentinelone_source.telemetry.source import Source

PREFIX = "sentinelone_source_"
FEED = ("console", "feed")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})

Samples = Iterable[tuple[Sequence[str], float]]
"""Values, each with its labels."""


def _of(feed: Feed) -> list[str]:
    return [feed.console.name, feed.name]


def _refused(source: Source) -> Samples:
    tables = {feed.name: feed.table for feed in source.feeds}
    refused = source.refused()
    return [((name, table), float(name in refused)) for name, table in tables.items()]


class Definition(NamedTuple):
    """A metric: its name without the prefix, what it means, and where its values are."""

    kind: Literal["counter", "gauge"]
    name: str
    text: str
    labels: Sequence[str]
    samples: Callable[[Source], Samples]


def _per_feed(name: str, text: str, field: str = "") -> Definition:
    """A counter with a value a feed: what the feed counts under the same name, or in `field`."""

    def samples(source: Source) -> Samples:
        return [(_of(feed), getattr(feed.counts, field or name)) for feed in source.feeds]

    return Definition("counter", name, text, FEED, samples)


def _per_label(name: str, text: str, field: str, label: str) -> Definition:
    """A counter with a value a feed and label: what the feed counts by it in `field`."""

    def samples(source: Source) -> Samples:
        return [
            ([*_of(feed), value], count)
            for feed in source.feeds
            for value, count in dict(getattr(feed.counts, field)).items()
        ]

    return Definition("counter", name, text, (*FEED, label), samples)


_counter = partial(Definition, "counter")
_gauge = partial(Definition, "gauge")


METRICS = (
    _per_feed("fetched", "Records read, known ones too."),
    _per_feed("rows", "Rows handed over."),
    _per_feed("row_bytes", "Bytes of the rows handed over.", "bytes"),
    _per_feed("suppressed", "Records that had been handed over before."),
    _per_label(
        "late_rows",
        "Rows that became visible late, by the age in seconds at which they were found.",
        "late",
        "age",
    ),
    _per_feed("baseline", "Records older than the feed's start, or than what is remembered of it."),
    _per_feed("unasked", "Records outside of what was asked for: the console ignores its filter."),
    _per_feed("postponed", "Rows that the shipper refuses for now. They are read again."),
    _per_feed("unchanged", "Rows left out because only volatile columns changed."),
    _per_feed("unchanged_bytes", "Bytes of unchanged rows."),
    _per_feed("dropped", "Records that a `[[drop]]` removed."),
    _per_feed("dead_letters", "Records and rows kept as dead letters.", "dead"),
    _per_feed("pages", "Pages read and handed over."),
    _per_label(
        "misfit_values",
        "Values left out because their column's type does not take them.",
        "misfits",
        "column",
    ),
    _per_label("cut_values", "Values truncated for their length.", "cut", "column"),
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
    _gauge(
        "behind_seconds",
        "How long ago the feed was complete; 0 when idle.",
        FEED,
        lambda source: [(_of(feed), feed.behind) for feed in source.feeds],
    ),
    _gauge(
        "last_success_timestamp_seconds",
        "When the last complete sweep began.",
        FEED,
        lambda source: [
            (_of(feed), at) for feed in source.feeds if (at := feed.last_success) is not None
        ],
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
        lambda source: [
            ((console.name, *endpoint_and_code), count)
            for console in source.consoles
            for endpoint_and_code, count in dict(console.requests).items()
        ],
    ),
    _gauge(
        "token_expiry_timestamp_seconds",
        "When the API token expires.",
        ("console",),
        lambda source: [
            ([one.name], at) for one in source.consoles if (at := one.expiry.at) is not None
        ],
    ),
)
"""Every metric of this program but `build_info`, in the order of the page."""


def other_metrics() -> CollectorRegistry:
    """What is running, and the metrics of the process."""
    registry = CollectorRegistry()
    build = Info(f"{PREFIX}build", "What is running.", registry=registry)
    build.info({"version": __version__, "python": platform.python_version()})
    ProcessCollector(registry=registry)
    return registry


class Exposition:
    """The page `/metrics`: the source's metrics, the process's, and what is running."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._others = other_metrics()

    def page(self, accept: str) -> Reply:
        """Prometheus text, or OpenMetrics if that is asked for."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # not a version
            encode, content_type = choose_encoder("")
        ours = "".join(self._lines(is_open="openmetrics" in content_type))
        return Reply(200, ours.encode() + encode(self._others), content_type)

    def _lines(self, *, is_open: bool) -> Iterator[str]:
        for kind, name, text, labels, samples in METRICS:
            full = f"{PREFIX}{name}_total" if kind == "counter" else f"{PREFIX}{name}"
            family = f"{PREFIX}{name}" if is_open else full
            yield f"# HELP {family} {text}\n"
            yield f"# TYPE {family} {kind}\n"
            for values, value in samples(self._source):
                number = "+Inf" if value == math.inf else repr(value)
                yield f"{full}{_labelled(labels, tuple(values))} {number}\n"


@cache
def _labelled(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = (
        f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True)
    )
    return f"{{{','.join(pairs)}}}" if names else ""
