"""deploy/monitoring: rules and dashboard in a real Prometheus that scrapes the real source."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml

from sentinelone_source.telemetry.metrics import METRICS, PREFIX
from support.pages import blocks
from support.scraping import Scraper, listening
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.tenancy import Tenancy

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
RULES = MONITORING / "alerts.yaml"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
QUERIES = sorted({one["expr"] for panel in DASHBOARD["panels"] for one in panel.get("targets", ())})
RARE = re.compile("fluentbit_|vector_|late_rows|misfit_values|cut_values|token_expiry")
"""Metrics without a series until something happens, and those of shippers."""


def program(name: str) -> str:
    """Prometheus or promtool, which `make prometheus` brings where apt-get is."""
    path = os.pathsep.join((str(ROOT / ".venv/bin"), os.environ["PATH"]))
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"no {name}: install Debian's package prometheus, or `make prometheus`")
    return found


def test_rules_fire_when_they_should_and_only_then() -> None:
    """promtool's tests of the alerting rules pass."""
    tests = Path(__file__).with_name("alerts_test.yaml")
    command = [program("promtool"), "test", "rules", str(tests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_configures_prometheus(tmp_path: Path) -> None:
    """Prometheus accepts the prometheus.yml of the page, with the rules beside it."""
    page = (ROOT / "docs/how-to/monitor.md").read_text()
    [text] = blocks(page, "yaml")
    (tmp_path / "prometheus.yml").write_text(text)
    shutil.copy(RULES, tmp_path)
    command = [program("promtool"), "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_dashboard_use_metrics_that_exist() -> None:
    """Each metric is one of the source, or on the page of its shipper."""
    pages = "".join(
        (ROOT / f"docs/how-to/{one}.md").read_text() for one in ("fluent-bit", "vector")
    )
    exposed = {f"{PREFIX}{name}" for name in ("build", *(one.name for one in METRICS))}
    used = [rule["expr"] for group in rules() for rule in group["rules"]] + QUERIES
    for name in set(re.findall(r"\b(?:sentinelone_source|fluentbit|vector)_\w+", str(used))):
        known = (
            re.sub("_(total|info)$", "", name) in exposed or name.removeprefix("vector_") in pages
        )
        assert known, name


def test_every_query_is_answered(tenancy: Tenancy, tmp_path: Path) -> None:
    """A Prometheus that scrapes a running source answers each query, and evaluates each rule."""
    tenancy.populate(5)
    listening(tenancy)
    with tenancy.start() as running:
        target = Scraper(running).address
        running.wait_for("swept", count=5)
        with prometheus(tmp_path / "prometheus", target) as ask:
            until(lambda: value(ask, "count_over_time(sentinelone_source_build_info[1m])") > 5)
            for query in QUERIES:
                until(partial(answered, ask, query), query)
            until(lambda: all(one["health"] == "ok" for one in evaluated(ask)), "each rule is ok")
            assert len(evaluated(ask)) == sum(len(group["rules"]) for group in rules())


def rules() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    return groups


def answered(ask: Any, query: str) -> bool:
    """Whether a query has a result, or is right and need not have one."""
    result = ask("query", query=filled(query))["result"]
    return bool(result or RARE.search(query))


def filled(query: str) -> str:
    """A query as Grafana sends it."""
    variables = {"$console": ".*", "$__rate_interval": "1m", "$__range": "1h"}
    for name, text in variables.items():
        query = query.replace(name, text)
    return query


def value(ask: Any, query: str) -> float:
    return float(next((one["value"][1] for one in ask("query", query=query)["result"]), 0))


def evaluated(ask: Any) -> list[dict[str, Any]]:
    return [rule for group in ask("rules")["groups"] for rule in group["rules"]]


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Any]:
    """A Prometheus with the rules; gives a function that asks its API."""
    folder.mkdir()
    config = {
        "global": {
            "scrape_interval": "500ms",
            "scrape_timeout": "500ms",
            "evaluation_interval": "1s",
        },
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {
                "job_name": "source",
                "static_configs": [{"targets": [target]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.listen-address=127.0.0.1:0",
    ]
    log = folder / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(command, stderr=output, stdout=output) as process,
    ):
        try:
            pattern = re.compile(r'Listening on"? address=(127\.0\.0\.1:[1-9]\d*)')
            until(lambda: pattern.search(log.read_text()) or process.poll() is not None, "listens")
            found = pattern.search(log.read_text())
            assert found, log.read_text()

            def ask(what: str, **query: str) -> Any:
                url = f"http://{found[1]}/api/v1/{what}"
                answer = requests.get(url, params=query, timeout=60).json()
                assert answer["status"] == "success", (query, answer)
                return answer["data"]

            ready = f"http://{found[1]}/-/ready"
            until(lambda: requests.get(ready, timeout=60).status_code == 200, "is ready")
            yield ask
        finally:
            process.terminate()
