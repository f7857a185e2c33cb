"""Rows by HTTP through Vector to Azure: the real Vector where there is one, and its stand-in."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from doubles import azure_faults as faults
from doubles.azure import Azure
from shippers.arrivals import arrived, check_requests, each_came_once, nothing_is_missing
from shippers.vector import azure_sinks
from shippers.vector_run import PASSWORD, PROGRAMS, USER, Vector, adapted, command
from support.living import living
from support.processes import Running
from support.tenancy import NAMES, OTHER, Tenancy
from support.waiting import until

pytestmark = pytest.mark.timeout(900)
PAGE = 8


@pytest.fixture(params=PROGRAMS)
def vector(
    request: pytest.FixtureRequest, tenancy: Tenancy, azure: Azure, tmp_path: Path
) -> Iterator[Vector]:
    """A Vector that has started with our file."""
    program = command(request.param)
    document = adapted("http", tmp_path, azure, tenancy.config)
    with Vector(program, document, tmp_path, azure) as vector:
        yield vector


def run(tenancy: Tenancy, vector: Vector) -> Running:
    """The source, handing over to Vector."""
    return tenancy.start("--to", vector.url)


def test_every_row_arrives_as_it_was_made(tenancy: Tenancy, azure: Azure, vector: Vector) -> None:
    """Each row arrives once and unchanged."""
    tenancy.populate(40)
    tenancy.once("--to", vector.url)
    assert each_came_once(tenancy, azure)
    check_requests(azure)
    assert vector.unrouted == []


def test_pages_larger_than_a_request(tenancy: Tenancy, azure: Azure, vector: Vector) -> None:
    """A page larger than a request is split, and each row arrives once."""
    tenancy.world.populate(threats=300, over=timedelta(hours=1))
    tenancy.once("--to", vector.url)
    assert each_came_once(tenancy, azure)
    check_requests(azure)
    assert {request.status for request in azure.requests} == {204}


def test_azure_is_away(tenancy: Tenancy, azure: Azure, vector: Vector) -> None:
    """While Azure is away Vector answers 400, and afterwards every row arrives."""
    vector.kill()
    for sink in azure_sinks(vector.document).values():
        sink["request"]["timeout_secs"] = 5  # 60 as shipped: a try takes so long
    vector.start()
    tenancy.populate(20)
    azure.plain.stop()
    with run(tenancy, vector) as running:
        until(lambda: "Contents failed to deliver to sink" in running.errors, "a 400")
        assert not any(azure.received.counts().values())
        azure.plain.start()
        until(lambda: nothing_is_missing(tenancy, azure), "every row")
        assert running.stop() == 0
    assert not (tenancy.state / "dead-letters.ndjson").exists()
    check_requests(azure)


def test_no_token(tenancy: Tenancy, azure: Azure, vector: Vector) -> None:
    """Rows that Vector could not send for want of a token are handed over again, and arrive."""
    tenancy.populate(10)
    azure.faults.add(faults.refuse("token", 400, times=30))
    with run(tenancy, vector) as running:
        until(lambda: "Contents failed to deliver to sink" in running.errors, "a 400")
        azure.faults.clear()
        until(lambda: nothing_is_missing(tenancy, azure), "every row")
        assert running.stop() == 0
    assert not (tenancy.state / "dead-letters.ndjson").exists()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_failures_that_pass(tenancy: Tenancy, azure: Azure, vector: Vector, status: int) -> None:
    """A failure of Azure that passes loses no row and makes no dead letter."""
    tenancy.populate(5)
    azure.faults.add(faults.refuse("ingestion", status, times=8))
    with run(tenancy, vector) as running:
        until(lambda: nothing_is_missing(tenancy, azure), "every row")
        assert running.stop() == 0
    assert not (tenancy.state / "dead-letters.ndjson").exists()
    check_requests(azure)


def test_a_table_without_a_sink(tenancy: Tenancy, azure: Azure, vector: Vector) -> None:
    """Rows of a user's own table, which has no sink, are kept apart unchanged."""
    tenancy.populate(3)
    (tenancy.folder / "mappings/other.toml").write_text(OTHER)
    tenancy.once("--to", vector.url)
    assert {row["_table"] for row in vector.unrouted} == {"Other_CL"}
    assert all(row.keys() == {"_table", "TimeGenerated", "Id"} for row in vector.unrouted)
    assert len(vector.unrouted) == len(tenancy.world.all("groups"))


def test_listener_with_a_password(tenancy: Tenancy, azure: Azure, vector: Vector) -> None:
    """A listener with a password takes rows from a source that has it, and from no other."""
    vector.kill()
    source = vector.document["sources"]["sentinelone"]
    source["auth"] = {
        "strategy": "basic",
        "username": USER,
        "password": "SECRET[azure.listener]",
    }
    vector.start()
    tenancy.populate(3)
    with run(tenancy, vector) as running:
        until(lambda: "401" in running.errors, "a 401")
        assert not any(azure.received.counts().values())
    (tenancy.folder / "password").write_text(PASSWORD + "\n")
    known = f'[handover]\nusername = "{USER}"\npassword_file = "password"'
    tenancy.config.write_text(tenancy.config.read_text().replace("[handover]", known))
    tenancy.once("--to", vector.url)
    assert each_came_once(tenancy, azure)


@pytest.mark.parametrize(("kills", "seed"), [(3, 1), pytest.param(20, 2, marks=pytest.mark.slow)])
def test_vector_is_killed(
    tenancy: Tenancy, azure: Azure, vector: Vector, kills: int, seed: int
) -> None:
    """Every row arrives although Vector is killed, and none is a dead letter."""
    rng = random.Random(seed)
    tenancy.populate(10)
    tenancy.configure(page_size=PAGE)
    with run(tenancy, vector) as running:
        with living(tenancy.world):
            for _ in range(kills):
                threading.Event().wait(rng.uniform(0, 0.8))
                vector.kill()
                vector.start()
        until(lambda: nothing_is_missing(tenancy, azure), "every row")
        assert running.stop() == 0
    assert not (tenancy.state / "dead-letters.ndjson").exists()
    check_requests(azure)


@pytest.mark.parametrize(("kills", "seed"), [(3, 3), pytest.param(20, 4, marks=pytest.mark.slow)])
def test_the_source_is_killed(
    tenancy: Tenancy, azure: Azure, vector: Vector, kills: int, seed: int
) -> None:
    """A killed source loses no row, and repeats at most one page of each feed for each kill."""
    rng = random.Random(seed)
    tenancy.populate(10)
    tenancy.configure(page_size=PAGE)
    with living(tenancy.world):
        for _ in range(kills):
            with run(tenancy, vector) as running:
                running.wait_for("started")
                threading.Event().wait(rng.uniform(0, 0.8))
    tenancy.once("--to", vector.url)
    assert nothing_is_missing(tenancy, azure)
    check_requests(azure)
    twice = sum(count - 1 for count in arrived(azure).values())
    assert twice <= kills * len(NAMES) * PAGE
