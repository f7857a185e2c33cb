"""Rechecks: at which ages, at what cost, and how they make way."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import pytest

from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.recheck import Recheck
from sentinelone_source.times import SECOND
from support.modelconsole import ModelConsole
from support.poller import ModelPoller

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

DAY = 86_400
EVERY = 100
"""From one record to the next."""


@pytest.mark.parametrize(
    ("overlap", "lookback", "ages"),
    [
        (60, 600, (600,)),
        (60, DAY, (1200, 24_000, DAY)),
        (30, 600, (600,)),
        (30, DAY, (600, 12_000, DAY)),
        (600, 600, ()),
        (3600, 600, ()),
        (300, DAY, (6000, DAY)),
    ],
)
def test_ages(overlap: int, lookback: int, ages: tuple[int, ...]) -> None:
    """Each age is at most 20 times the one before, from the overlap to the look-back."""
    assert Plan(lookback=lookback, overlap=overlap).ages == ages


def read(poller: ModelPoller, reading: Coroutine[Any, Any, None]) -> None:
    poller.begin(reading)
    while poller.at:
        poller.go_on()


def until_recheck(poller: ModelPoller) -> int:
    return ceil(min(poller.feed.until_recheck(), 1) * SECOND)


@pytest.mark.parametrize(
    ("overlap", "lookback", "outage", "most"),
    [(30, 600, 0, 3.2), (30, DAY, 0, 5.3), (300, DAY, 0, 5.3), (60, DAY, 3600, 5.3)],
)
def test_what_is_fetched_for_each_new_record(
    tmp_path: Path, overlap: int, lookback: int, outage: int, most: float
) -> None:
    """Each record is read 3.2 or 5.3 times at most, at any interval and after an outage."""
    console = ModelConsole(moves=True)
    for age in range(DAY, 0, -EVERY):
        console.create(age)
    plan = Plan(lookback=lookback, overlap=overlap, start_back=lookback, present=0)
    poller = ModelPoller(tmp_path, plan, console, lambda: 0, at_once=True)
    poller.limit = 1000
    read(poller, poller.feed.sweep())
    before, begun = poller.feed.counts.copy(), console.time
    newest = begun
    while console.time < begun + 24_000:
        following = console.time + overlap
        while console.time + (wait := until_recheck(poller)) < following:
            console.time += wait
            read(poller, poller.feed.recheck((following - console.time) / SECOND))
        console.time = following
        if outage and following > begun + 12_000:
            console.time, outage = following + outage, 0
        while newest + EVERY < console.time:
            newest += EVERY
            console.create(console.time - newest)
        read(poller, poller.feed.sweep())
    new = poller.feed.counts.since(before)
    poller.close()
    assert new.rows > 100
    assert 2 * new.rows < new.fetched <= most * new.rows


def test_an_age_that_is_new_begins_where_a_greater_one_is() -> None:
    """What was read at a greater age counts for a smaller one, and nothing is before the origin."""
    progress = Progress(origin=50, rechecked=((400, 9000), (8000, 2000)))
    ages = Plan(lookback=48_000, overlap=1).rechecked(progress, 20_000)
    assert ages == ((20, 9000), (400, 9000), (8000, 2000), (48_000, 50))
    assert Plan(lookback=400, overlap=20).rechecked(progress, 9100) == ((400, 8700),)


def test_a_recheck_does_not_hand_over_what_may_have_been_forgotten() -> None:
    """A recheck hands over nothing from before the keys that are kept."""
    progress = Progress(forgotten=300, rechecked=((600, 100),))
    recheck = Recheck(Plan(lookback=600), progress, 600, 1000)
    assert (recheck.asked_from, recheck.wanted_from, recheck.until) == (100, 300, 400)


@pytest.mark.parametrize("age", [600, 86_400])
def test_a_recheck_is_due_before_a_position_exceeds_its_age_by_a_tenth(age: int) -> None:
    """A recheck begins early enough to end before the oldest position is too old."""
    due = Progress(rechecked=((age, 1000),)).next_due()[age]
    assert 1000 + age < due <= 1000 + age + age * 0.075


def test_a_recheck_makes_way_for_a_sweep() -> None:
    """A recheck ends when a sweep is due, but not before it has got further."""
    plan, progress = Plan(lookback=600, present=0), Progress(rechecked=((600, 100),))
    recheck = Recheck(plan, progress, 600, 10_000)
    recheck.add_page([100, 100])
    recheck.overtake()
    for page, beyond in (([100, 100], False), ([100, 120], True)):
        recheck.add_page(page)
        assert recheck.beyond is beyond
    assert dict(recheck.complete().rechecked) == {600: 120}
