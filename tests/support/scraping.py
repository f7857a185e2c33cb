"""What a Prometheus, or a kubelet, sees of a running process."""

from __future__ import annotations

from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from support.processes import Running
from support.tenancy import Tenancy
from support.waiting import until

LISTEN = '[telemetry]\nlisten = "127.0.0.1:0"\n'
PREFIX = "sentinelone_source_"


class Scraped(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """Samples by name, without the prefix, and labels."""

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        wanted = labels.items()
        return sum(v for (sample, has), v in self.items() if sample == name and wanted <= set(has))

    def of(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The samples with these labels, by another one."""
        wanted = labels.items()
        return {
            dict(has)[label]: value
            for (sample, has), value in self.items()
            if sample == name and wanted <= set(has)
        }


class Scraper:
    """Asks a process that listens."""

    def __init__(self, running: Running) -> None:
        running.wait_for("listening")
        self.address = running.events("listening")[0]["address"]

    def get(self, path: str, **headers: str) -> requests.Response:
        """One request."""
        return requests.get(f"http://{self.address}{path}", headers=headers, timeout=10)

    def scrape(self) -> Scraped:
        """The metrics as they are now."""
        answer = self.get("/metrics")
        assert answer.status_code == 200
        return Scraped(
            {
                (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(answer.text)
                for sample in family.samples
            }
        )

    def until(self, name: str, least: float, **labels: str) -> Scraped:
        """The metrics once the sum of some samples is at least so much."""
        last = Scraped()

        def met() -> bool:
            nonlocal last
            last = self.scrape()
            return last.total(name, **labels) >= least

        until(met, f"{name} {labels} >= {least}")
        return last


def listening(tenancy: Tenancy, more: str = "", **over: Any) -> None:
    """Configure a tenancy's program to listen."""
    tenancy.configure(LISTEN + more, **over)
