"""The real Vector runs the source itself."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from doubles.azure import Azure
from shippers.arrivals import check_requests, each_came_once, nothing_is_missing
from shippers.vector_run import Vector, adapted, command
from support.living import living
from support.tenancy import Tenancy
from support.waiting import until

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def vector(tenancy: Tenancy, azure: Azure, tmp_path: Path) -> Iterator[Vector]:
    """A Vector with our file, not started yet."""
    document = adapted("exec", tmp_path, azure, tenancy.config)
    vector = Vector(command("vector"), document, tmp_path, azure)
    yield vector
    vector.kill()


def test_rows_arrive_and_the_log_does_not(tenancy: Tenancy, azure: Azure, vector: Vector) -> None:
    """Each row arrives once and unchanged, and lines of the log stay out of the tables."""
    tenancy.populate(30)
    with vector:
        until(lambda: each_came_once(tenancy, azure), "every row, once")
        until(lambda: '"event":"swept"' in vector.said, "the log")
        assert vector.stop() == 0
    assert each_came_once(tenancy, azure)
    assert '"event":"stopped"' in vector.said
    assert vector.unrouted == []
    check_requests(azure)


def test_azure_is_away(tenancy: Tenancy, azure: Azure, vector: Vector) -> None:
    """Rows wait while Azure is away, and then arrive."""
    tenancy.populate(30)
    azure.plain.stop()
    with vector:
        until(lambda: '"event":"swept"' in vector.said, "rows in the buffer")
        azure.plain.start()
        until(lambda: nothing_is_missing(tenancy, azure), "every row")
        assert vector.stop() == 0
    check_requests(azure)


@pytest.mark.parametrize(("kills", "seed"), [(2, 1), pytest.param(20, 2, marks=pytest.mark.slow)])
def test_vector_is_killed(
    tenancy: Tenancy, azure: Azure, vector: Vector, kills: int, seed: int
) -> None:
    """Every row arrives although Vector is killed, with a `settle` that is long enough."""
    rng = random.Random(seed)
    tenancy.populate(10)
    tenancy.configure(page_size=8, settle="60s")
    with living(tenancy.world):
        for _ in range(kills):
            vector.start()
            lives = vector.said.count('"event":"started"')
            until(lambda: vector.said.count('"event":"started"') > lives, "a source")  # noqa: B023
            threading.Event().wait(rng.uniform(0, 1))
            vector.kill()
    with vector:
        until(lambda: nothing_is_missing(tenancy, azure), "every row")
        assert vector.stop() == 0
    check_requests(azure)
