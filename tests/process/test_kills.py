"""SIGKILL at any moment, while the tenant lives on: nothing is lost, and little is repeated."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from support.living import living
from support.tenancy import table_of

if TYPE_CHECKING:
    from support.tenancy import Tenancy

PAGE = 8


def killed(tenancy: Tenancy, kills: int, seed: int) -> list[list[bytes]]:
    """The lines of each life: so many that end in SIGKILL, and one that ends well."""
    rng = random.Random(seed)
    lives = []
    with living(tenancy.world):
        for _ in range(kills):
            with tenancy.start() as running:
                if rng.random() < 0.7:
                    running.wait_for("started")
                threading.Event().wait(rng.uniform(0, 0.6))
                running.process.kill()
                running.wait()
            assert "Traceback" not in running.errors
            lives.append(running.lines)
    lives.append(tenancy.once().lines)
    return lives


def repeated(lives: list[list[bytes]]) -> list[Counter[str]]:
    """By life and table: the lines that an earlier life, or the same, had handed over before."""
    seen: set[bytes] = set()
    found = []
    for life in lives:
        again: Counter[str] = Counter()
        for line in life:
            if line in seen:
                again[table_of(line)] += 1
            seen.add(line)
        found.append(again)
    return found


@pytest.mark.parametrize(
    ("kills", "seed"),
    [(3, 1), pytest.param(30, 2, marks=pytest.mark.slow)],
)
def test_settled_at_once(tenancy: Tenancy, kills: int, seed: int) -> None:
    """A crash loses no row and repeats at most one page of each feed."""
    tenancy.populate(20)
    tenancy.configure(page_size=PAGE, settle="0s")
    lives = killed(tenancy, kills, seed)
    assert tenancy.shown() <= {line for life in lives for line in life}
    assert not repeated(lives)[0]
    for again in repeated(lives):
        assert all(count <= PAGE for count in again.values()), again


@pytest.mark.parametrize(
    ("kills", "seed"),
    [(3, 3), pytest.param(30, 4, marks=pytest.mark.slow)],
)
def test_settled_later(tenancy: Tenancy, kills: int, seed: int) -> None:
    """With `settle` a crash loses no row, and no process hands over a row twice."""
    tenancy.populate(20)
    tenancy.configure(page_size=PAGE, settle="1s")
    lives = killed(tenancy, kills, seed)
    assert tenancy.shown() <= {line for life in lives for line in life}
    assert all(len(life) == len(set(life)) for life in lives)


@pytest.mark.slow
def test_shipper_dies_too(tenancy: Tenancy) -> None:
    """What a shipper lost within `settle` is handed over again."""
    tenancy.populate(30)
    tenancy.configure(page_size=PAGE, settle="60s")
    with living(tenancy.world):
        for _ in range(5):
            with tenancy.start() as running:
                running.wait_for("swept", count=5)
                running.process.kill()
    assert tenancy.shown() <= set(tenancy.once().lines)
