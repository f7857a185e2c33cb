"""Told to stop, at any moment: with status 0, and what was written is settled.

That it is soon shows in what would otherwise be waited for: it takes five minutes or more.
"""

from __future__ import annotations

import random
import select
import signal
import time
from typing import TYPE_CHECKING

import pytest

from doubles import faults
from support.tenancy import table_of
from support.waiting import until

if TYPE_CHECKING:
    from support.processes import Running
    from support.tenancy import Tenancy

ENDLESS = "1h"
BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])


def ended_well(running: Running, status: int) -> None:
    assert status == 0, running.errors
    assert running.events("stopped")
    assert "Traceback" not in running.errors
    assert not running.out or running.out.endswith(b"\n")


@BOTH
def test_when_idle(tenancy: Tenancy, number: int) -> None:
    """Stopping settles what waits, so that the next run repeats nothing."""
    tenancy.populate(30)
    tenancy.configure(settle=ENDLESS, interval="1h")
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        ended_well(running, running.stop(number))
    assert set(running.lines) == tenancy.shown()
    assert tenancy.once().lines == []


@BOTH
def test_at_any_moment(tenancy: Tenancy, number: int) -> None:
    """Stops at any moment lose no row and repeat none."""
    rng = random.Random(number)
    tenancy.populate(45)
    tenancy.configure(settle=ENDLESS, page_size=15)
    lines: list[bytes] = []
    for _ in range(4):
        with tenancy.start() as running:
            running.wait_for("started")
            time.sleep(rng.uniform(0, 0.4))
            ended_well(running, running.stop(number))
        lines += running.lines
        tenancy.world.tick()
    lines += tenancy.once().lines
    assert len(lines) == len(set(lines))
    assert tenancy.shown() <= set(lines)


def full(running: Running) -> None:
    """Returns when nothing more goes into the pipe that nobody reads."""
    running.wait_for("started")
    pipe = running.process.stdout
    assert pipe is not None
    until(lambda: select.select([pipe], [], [], 0)[0], "the first row")
    time.sleep(0.3)


def test_reader_is_slow(tenancy: Tenancy) -> None:
    """A slow reader gets the page under way before the process ends, and it is not repeated."""
    tenancy.populate(60)
    tenancy.configure(settle=ENDLESS, page_size=20)
    with tenancy.start("--table", "threats", reads=False) as running:
        full(running)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        running.read_on()
        ended_well(running, running.wait())
    again = tenancy.once("--table", "threats").lines
    assert not set(again) & set(running.lines)
    assert tenancy.shown(["threats"]) == {*again, *running.lines}


def test_nobody_reads(tenancy: Tenancy) -> None:
    """With a reader that hangs the source can be stopped, and at most one page is repeated."""
    tenancy.populate(24)
    tenancy.configure(settle=ENDLESS, page_size=3)
    with tenancy.start("--table", "threats", reads=False) as running:
        full(running)
        assert running.stop() == 0, running.errors
        running.read_on()
        running.wait()
    assert running.lines
    again = tenancy.once("--table", "threats").lines
    assert len(set(again) & set(running.lines)) <= 3
    assert tenancy.shown(["threats"]) == {*again, *running.lines}


@pytest.mark.parametrize(
    "fault",
    [
        faults.hang("*", 300, times=None),
        faults.throttle("*", retry_after=3600, times=None),
        faults.unauthorized("*", times=None),
        faults.reset("*", times=None),
    ],
    ids=["hang", "429", "401", "reset"],
)
def test_console_does_not_answer(tenancy: Tenancy, fault: faults.ConsoleFault) -> None:
    """A console in trouble does not keep the source from stopping."""
    tenancy.console.faults.add(fault)
    with tenancy.start() as running:
        until(lambda: len(tenancy.console.requests) >= 5, "a request of every feed")
        ended_well(running, running.stop())
    assert not running.out


def test_while_the_console_hangs_between_pages(tenancy: Tenancy) -> None:
    """Stopped while the console hangs, the source has settled the pages before."""
    tenancy.populate(30)
    tenancy.configure(settle=ENDLESS, page_size=10)
    tenancy.console.faults.add(faults.hang("*", 300, on="cursor", times=None))
    with tenancy.start() as running:
        until(lambda: len(running.lines) >= 50, "a page of every feed")
        ended_well(running, running.stop())
    tenancy.console.faults.clear()
    again = tenancy.once().lines
    assert len(again) == 100
    assert tenancy.shown() == {*again, *running.lines}


def test_console_goes_away(tenancy: Tenancy) -> None:
    """A console that is restarted is polled again, and no row comes twice."""
    tenancy.populate(10)
    tenancy.configure(settle=ENDLESS)
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        tenancy.console.stop()
        running.wait_for("retry", count=2)
        new = tenancy.world.new_activity()
        tenancy.console.start()
        until(lambda: new["id"].encode() in running.out, "the new activity")
        ended_well(running, running.stop())
    assert len(running.lines) == len(set(running.lines)) == 51
    assert {table_of(line) for line in running.lines} >= {"SentinelOneActivities_CL"}


def test_reader_goes_while_we_stop(tenancy: Tenancy) -> None:
    """A reader that goes while a page waits for it ends the process with 1, and one sentence."""
    tenancy.populate(60)
    tenancy.configure(settle=ENDLESS, page_size=20)
    with tenancy.start("--table", "threats", reads=False) as running:
        full(running)
        running.process.send_signal(signal.SIGTERM)
        running.leave()
        assert running.wait() == 1
        assert "the reader has closed the pipe" in running.events("failed")[-1]["error"]
        assert "Traceback" not in running.errors
