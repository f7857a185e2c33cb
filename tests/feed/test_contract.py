"""Sweeps of the real program on a console: where they end, and what they do not repeat."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from doubles import faults
from sentinelone_source.feed.progress import Progress
from sentinelone_source.feed.state.state import State
from sentinelone_source.times import parse_moment

if TYPE_CHECKING:
    from pathlib import Path

    from support.tenancy import Tenancy


def progress(state: Path) -> Progress:
    """Of the one feed in a state."""
    looking = State(state, read_only=True)
    (feed,) = looking.show()
    looking.close()
    assert feed.progress.watermark is not None
    return feed.progress


def positions(tenancy: Tenancy) -> list[int]:
    return sorted(
        parse_moment(one["threatInfo"]["updatedAt"]) for one in tenancy.world.all("threats")
    )


def test_a_sweep_ends_where_records_change_faster_than_they_are_read(tenancy: Tenancy) -> None:
    """With 100 changes for each 80 records read, a sweep ends; its feed is complete up to then."""
    tenancy.populate(300)
    tenancy.configure(page_size=80)
    tenancy.console.faults.add(faults.changes("threats", 100))
    assert len(tenancy.once("--table", "threats").events("swept")) == 1
    reached = progress(tenancy.state)
    assert reached.watermark == reached.signpost


def test_a_console_without_a_date_moves_the_watermark_to_the_last_record(tenancy: Tenancy) -> None:
    """Without a `Date` header the watermark is the last position seen, and a warning says so."""
    tenancy.populate(30)
    tenancy.console.faults.add(faults.date("*", None, times=None))
    first = tenancy.once("--table", "threats")
    assert len(first.events("no_clock")) == 1
    assert progress(tenancy.state).watermark == positions(tenancy)[-1]


@pytest.mark.parametrize(
    ("table", "short", "long"),
    [
        ("threats", 'lookback = "10m"', 'lookback = "5h"'),
        ("alerts", 'rescan = "60s"', 'rescan = "20d"'),
    ],
)
def test_reading_further_back_repeats_nothing(
    tenancy: Tenancy, table: str, short: str, long: str
) -> None:
    """A raised look-back or `rescan` repeats no row, and what it reads is known from then on."""
    tenancy.populate(60, over=timedelta(hours=5))
    tenancy.configure(start="5h")
    config = tenancy.config.read_text()
    config = config.replace("[feeds.alerts]", 'remember = "60s"\n[feeds.alerts]\nrescan = "60s"')
    tenancy.config.write_text(config)
    assert len(tenancy.once("--table", table).lines) == 60
    getattr(tenancy.world, f"new_{table[:-1]}")()  # keys are deleted with a page
    assert len(tenancy.once("--table", table).lines) == 1
    tenancy.config.write_text(config.replace(short, long))
    again = tenancy.once("--table", table)
    assert again.lines == []
    assert again.events("swept")[0]["baseline"] > 30
    tenancy.world.new_alert(late=timedelta(hours=4))
    assert len(tenancy.once("--table", table).lines) == (table == "alerts")


def test_a_console_that_ignores_its_filter(tenancy: Tenancy) -> None:
    """Records before the position that was asked for are not handed over; one warning says why."""
    tenancy.populate(60, over=timedelta(hours=5))
    tenancy.configure(start="2h", page_size=10)
    tenancy.console.faults.add(faults.ignores_filter("threats"))
    run = tenancy.once("--table", "threats")
    asked_for = min(
        parse_moment(request.query["updatedAt__gte"][0])
        for request in tenancy.console.requests
        if "updatedAt__gte" in request.query
    )
    rows = [parse_moment(json.loads(line)["UpdatedAt"]) for line in run.lines]
    assert sorted(rows) == [at for at in positions(tenancy) if at >= asked_for]
    assert len(run.events("filter_ignored")) == 1
    (swept,) = run.events("swept")
    assert swept["rows"] + swept["unasked"] == 60


@pytest.mark.parametrize(("arguments", "left"), [(["--once"], -60), ([], 5)])
def test_a_recheck_finds_a_late_record(tenancy: Tenancy, arguments: list[str], left: int) -> None:
    """What became visible late is found when its age is due: after a sweep, or before the next."""
    tenancy.configure(interval="1h", lookback="2h")
    tenancy.once("--table", "threats")
    tenancy.world.new_threat(late=timedelta(minutes=115))
    tenancy.world.jump(timedelta(minutes=8, seconds=-left))
    with tenancy.start("--table", "threats", *arguments) as running:
        running.wait_for("swept", kind="recheck")
        assert (running.wait() if arguments else running.stop()) == 0
    (found,) = (line for line in running.events("swept") if line["kind"] == "recheck")
    assert (found["age"], found["late"], found["rows"]) == (7200, {"7200": 1}, 1)
    assert len(running.lines) == 1
