"""The page `/metrics`: what `metrics` has, as text.

The lines are made here: prometheus_client checks each name and label of each line again, which for
500 consoles takes ten times as long.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sentinelone_source import __version__
from sentinelone_source.http.server import Reply
from sentinelone_source.telemetry.metrics import METRICS, PREFIX, Source


class _Build(Collector):
    def collect(self) -> Iterable[Metric]:
        about = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily(f"{PREFIX}build", "What is running.", about)


class Exposition:
    """The page `/metrics`: the source's metrics, the process's, and what is running."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._others = CollectorRegistry()
        self._others.register(_Build())
        ProcessCollector(registry=self._others)
        self._labels: dict[tuple[Sequence[str], ...], str] = {}

    def page(self, accept: str) -> Reply:
        """Prometheus text, or OpenMetrics if that is asked for."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is none
            encode, content_type = choose_encoder("")
        ours = "".join(self._lines(is_open="openmetrics" in content_type))
        return Reply(200, ours.encode() + encode(self._others), content_type)

    def _lines(self, *, is_open: bool) -> Iterator[str]:
        for kind, name, text, labels, samples in METRICS:
            is_counter = kind is CounterMetricFamily
            full = f"{PREFIX}{name}_total" if is_counter else f"{PREFIX}{name}"
            family = f"{PREFIX}{name}" if is_open else full
            yield f"# HELP {family} {text}\n"
            yield f"# TYPE {family} {'counter' if is_counter else 'gauge'}\n"
            for values, value in samples(self._source):
                number = "+Inf" if value == math.inf else repr(value)
                yield f"{full}{self._labelled(labels, tuple(values))} {number}\n"

    def _labelled(self, names: Sequence[str], values: Sequence[str]) -> str:
        if not names:
            return ""
        key = (names, values)
        if key not in self._labels:
            pairs = (
                f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)
            )
            self._labels[key] = f"{{{','.join(pairs)}}}"
        return self._labels[key]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
