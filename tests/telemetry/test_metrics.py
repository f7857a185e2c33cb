"""Metrics of the real process, as Prometheus reads them."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import fields
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from doubles import faults
from sentinelone_source.feed.counts import Counts
from sentinelone_source.telemetry.metrics import METRICS
from support.scraping import Scraper, listening
from support.tenancy import NAMES, TABLES, TOKEN, Tenancy, table_of
from support.waiting import until

RECORDS = ("rows", "suppressed", "dropped", "baseline", "dead_letters")


def test_records_add_up(tenancy: Tenancy) -> None:
    """The counters say what was handed over and logged, and add up to what was fetched."""
    tenancy.populate(30)
    listening(tenancy, page_size=7, interval="1h", start="30m")
    with Path(tenancy.folder, "mappings", "activities.toml").open("a") as mapping:
        mapping.write('[[drop]]\npath = "$.id"\nmatches = "[02468]$"\n')
    tenancy.world.insert("groups", b'{"id":null,"name":"nobody"}')
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        seen = Scraper(running).scrape()
        assert running.stop() == 0
    rows = {name: [x for x in running.lines if table_of(x) == TABLES[name]] for name in NAMES}
    assert seen.of("rows_total", "feed") == {name: len(rows[name]) for name in NAMES}
    assert seen.of("row_bytes_total", "feed") == {
        name: sum(len(row) + 1 for row in rows[name]) for name in NAMES
    }
    assert seen.total("dead_letters_total", feed="groups") == 1
    assert seen.total("dropped_total", feed="activities") > 0
    assert seen.total("baseline_total", feed="alerts") > 0
    for line in running.events("swept"):
        told = {name: line.get(name, 0) for name in ("rows", "suppressed", "dropped", "baseline")}
        told["dead_letters"] = line.get("dead", 0)
        here = {"feed": line["feed"], "console": "acme"}
        assert {name: seen.total(f"{name}_total", **here) for name in RECORDS} == told
        assert seen.total("pages_total", **here) == line["pages"]
    for name in NAMES:
        ends = sum(seen.total(f"{end}_total", feed=name) for end in RECORDS)
        assert seen.total("fetched_total", feed=name) == ends > 0


def test_everything_counted_is_shown() -> None:
    """Each count of the feeds has a metric."""
    counts = Counts()
    for number, field in enumerate(fields(Counts), 1000):
        plain = isinstance(getattr(counts, field.name), int)
        setattr(counts, field.name, number if plain else Counter(column=number))
    feed = SimpleNamespace(counts=counts, console=SimpleNamespace(name="acme"), name="threats")
    source: Any = SimpleNamespace(feeds=[feed])
    shown = set()
    for metric in METRICS:
        with suppress(AttributeError):  # of what else there is in a source
            shown |= {value for _, value in metric.samples(source)}
    assert shown == set(range(1000, 1000 + len(fields(Counts))))


def test_columns_are_told_apart(tenancy: Tenancy) -> None:
    """Misfit and cut values are counted for the column that they are of."""
    tenancy.populate(4)
    listening(tenancy, interval="1h")
    with Path(tenancy.folder, "mappings", "threats.toml").open("a") as mapping:
        mapping.write(
            '[columns]\nNumber = { path = "$.threatInfo.threatName", type = "int" }\n'
            'When = { path = "$.threatInfo.threatId", type = "datetime" }\n'
        )
    long = "x" * 70_000
    group = {**tenancy.world.all("groups")[0], "id": "77", "name": long}
    tenancy.world.insert("groups", msgspec.json.encode(group))
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        seen = Scraper(running).scrape()
    assert seen.of("misfit_values_total", "column", feed="threats")["Number"] == 4
    assert seen.total("misfit_values_total", feed="groups") == 0
    assert sum(seen.of("cut_values_total", "column", feed="groups").values()) >= 1
    assert seen.total("cut_values_total", feed="threats") == 0


def test_requests_by_code(tenancy: Tenancy) -> None:
    """Requests are counted by endpoint and status code."""
    tenancy.populate(3)
    listening(tenancy)
    tenancy.console.faults.add(
        faults.throttle("agents", retry_after=0),
        faults.reset("activities"),
        faults.bad_gateway("alerts"),
        faults.forbidden("groups", times=None),
        faults.unauthorized("threats"),
    )
    wanted = {
        ("agents", "429"): 1,
        ("activities", "none"): 1,
        ("cloud-detection/alerts", "502"): 1,
        ("groups", "403"): 1,
        ("threats", "401"): 1,
    }
    with tenancy.start() as running:
        scraper = Scraper(running)
        running.wait_for("refused")
        (tenancy.folder / "token").write_text(TOKEN)  # ends the wait for another token
        for endpoint in ("agents", "activities", "cloud-detection/alerts", "threats"):
            seen = scraper.until("requests_total", 1, endpoint=endpoint, code="200")
        for (endpoint, code), count in wanted.items():
            labels = {"console": "acme", "endpoint": endpoint, "code": code}
            assert seen.total("requests_total", **labels) == count, labels
        assert seen.total("requests_total", endpoint="groups", code="200") == 0


def test_behind(tenancy: Tenancy) -> None:
    """`behind_seconds` grows while the console is away, and is 0 while feeds are idle."""
    tenancy.populate(3)
    listening(tenancy, interval="300ms")
    with tenancy.start() as running:
        running.wait_for("swept", count=10)
        scraper = Scraper(running)
        until(lambda: scraper.scrape().total("behind_seconds") == 0, "all feeds are idle")
        tenancy.console.stop()
        for name in NAMES:
            first = scraper.until("behind_seconds", 1, feed=name).total("behind_seconds", feed=name)
            scraper.until("behind_seconds", first + 1, feed=name)
        assert scraper.get("/healthz").status_code == 200
        assert scraper.get("/readyz").status_code == 200
        tenancy.console.start()
        until(lambda: scraper.scrape().total("behind_seconds") == 0, "all feeds are idle again")


def test_behind_after_a_restart(tenancy: Tenancy) -> None:
    """After a restart without a console the last success is known, and the feed is behind."""
    tenancy.populate(3)
    listening(tenancy)
    tenancy.once()
    tenancy.console.stop()
    with tenancy.start("--table", "threats") as running:
        scraper = Scraper(running)
        seen = scraper.scrape()
        success = seen.total("last_success_timestamp_seconds")
        assert abs(success - datetime.now(UTC).timestamp()) < 600
        scraper.until("behind_seconds", 1)
        assert scraper.scrape().total("last_success_timestamp_seconds") == success


def test_handover_wait(tenancy: Tenancy) -> None:
    """The wait of a hand-over shows while nobody reads, and its sum stays afterwards."""
    tenancy.populate(200)
    listening(tenancy)
    with tenancy.start("--table", "threats", reads=False) as running:
        scraper = Scraper(running)
        seen = scraper.until("handover_waiting_seconds", 0.5, feed="threats")
        before = seen.total("handover_wait_seconds_total", feed="threats")
        assert before >= 0.5
        scraper.until("handover_wait_seconds_total", before + 0.5, feed="threats")
        running.read_on()
        running.wait_for("swept")
        until(lambda: scraper.scrape().total("handover_waiting_seconds") == 0, "rows are taken")
        assert scraper.scrape().total("handover_wait_seconds_total") >= before + 0.5


def test_listener_of_the_shipper_is_away(tenancy: Tenancy) -> None:
    """While the shipper's listener is away, the wait and the feed's lag show it."""
    tenancy.populate(3)
    listening(tenancy)
    with tenancy.start("--to", "http://127.0.0.1:9/", "--table", "groups") as running:
        scraper = Scraper(running)
        seen = scraper.until("handover_waiting_seconds", 1, feed="groups")
        assert seen.total("rows_total") == 0
        assert seen.total("behind_seconds") > 0
        assert scraper.get("/healthz").status_code == 200
        assert running.stop() == 0


def test_token_expiry(tenancy: Tenancy) -> None:
    """The time at which a token expires is a metric, and a warning of the log."""
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    tenancy.console.behaviour.token_expires = expires
    listening(tenancy)
    with tenancy.start() as running:
        running.wait_for("token_expires", console="acme")
        scraper = Scraper(running)
        seen = scraper.until("token_expiry_timestamp_seconds", 1, console="acme")
        assert seen.total("token_expiry_timestamp_seconds") == expires.timestamp()
        assert 8.9 < running.events("token_expires")[0]["days"] <= 9
        assert running.stop() == 0
    assert TOKEN not in running.errors


@pytest.mark.parametrize("status", [403, 404])
def test_console_does_not_know_about_tokens(tenancy: Tenancy, status: int) -> None:
    """A console that does not say when a token expires is polled, and asked that once."""
    tenancy.populate(2)
    listening(tenancy)
    tenancy.console.faults.add(faults.status("users/api-token-details", status, times=None))
    with tenancy.start() as running:
        scraper = Scraper(running)
        labels = {"endpoint": "users/api-token-details", "code": str(status)}
        scraper.until("requests_total", 1, **labels)
        running.wait_for("swept", count=10)
        seen = scraper.scrape()
        assert seen.of("token_expiry_timestamp_seconds", "console") == {}
        assert seen.total("requests_total", **labels) == 1
        assert running.events("retry") == []


def test_two_consoles(tenancy: Tenancy) -> None:
    """Metrics tell two consoles apart, and one that is refused does not hide the other."""
    tenancy.populate(2)
    (tenancy.folder / "other").write_text("some-other-token")
    url = tenancy.console.url
    listening(tenancy, f'[[consoles]]\nname = "b"\nurl = "{url}"\ntoken_file = "other"\n')
    with tenancy.start() as running:
        scraper = Scraper(running)
        seen = scraper.until("rows_total", 10, console="acme")
        seen = scraper.until("requests_total", 5, console="b", code="401")
        assert seen.total("rows_total", console="b") == 0
        answer = scraper.get("/readyz")
        assert (answer.status_code, answer.json()["consoles"]) == (200, {"acme": True, "b": False})


def test_formats(tenancy: Tenancy) -> None:
    """A scraper gets OpenMetrics if it accepts that version, else the text format."""
    tenancy.populate(2)
    listening(tenancy)
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        scraper = Scraper(running)
        accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
        answer = scraper.get("/metrics", Accept=accept)
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        names = {family.name for family in text_string_to_metric_families(answer.text)}
        assert {"sentinelone_source_rows", "sentinelone_source_build"} <= names
        plain = scraper.get("/metrics", Accept="application/openmetrics-text;version=new")
        assert plain.headers["Content-Type"] == scraper.get("/metrics").headers["Content-Type"]
        assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "sentinelone_source_build_info{" in plain.text
        assert "process_resident_memory_bytes" in plain.text


def test_names_with_any_characters(tenancy: Tenancy) -> None:
    """A console's name comes through both formats as it was written."""
    name = 'a"b\\c\nd{e},ü'
    listening(tenancy)
    text = tenancy.config.read_text().replace('"acme"', msgspec.json.encode(name).decode())
    tenancy.config.write_text(text)
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        scraper = Scraper(running)
        accept = "application/openmetrics-text;version=1.0.0"
        found = text_string_to_metric_families(scraper.get("/metrics", Accept=accept).text)
        labels = [sample.labels for family in found for sample in family.samples]
        assert {one["console"] for one in labels if "console" in one} == {name}
        assert scraper.scrape().of("pages_total", "console").keys() == {name}


def test_no_secret_is_told(tenancy: Tenancy) -> None:
    """No page, header or line of the log shows the token."""
    tenancy.populate(3)
    listening(tenancy)
    tenancy.console.faults.add(
        faults.redirect("activities", location=f"/login?token={TOKEN}"),
        faults.status("users/api-token-details", 500, '{"token": "' + TOKEN + '"}'),
    )
    with tenancy.start() as running:
        scraper = Scraper(running)
        running.wait_for("swept", count=10)
        for path in ("/metrics", "/healthz", "/readyz", f"/{TOKEN}", f"/metrics?token={TOKEN}"):
            answer = scraper.get(path, Authorization=f"ApiToken {TOKEN}")
            assert TOKEN not in answer.text + str(answer.headers)
        assert running.stop() == 0
    assert TOKEN not in running.errors
