"""The reader of stdout goes away, or was never there: nothing unsettled is taken for delivered."""

from __future__ import annotations

import os
import subprocess
from fcntl import F_GETPIPE_SZ, fcntl
from typing import TYPE_CHECKING

import pytest

from doubles import faults
from support.processes import COMMAND, logs_of, surroundings
from support.waiting import until

if TYPE_CHECKING:
    from support.processes import Running
    from support.tenancy import Tenancy


def ended_for_want_of_a_reader(running: Running) -> None:
    assert running.wait() == 1, running.errors
    assert "Traceback" not in running.errors
    (failed,) = running.events("failed")
    assert "the reader has closed the pipe" in failed["error"]
    assert failed["exit_status"] == 1


@pytest.mark.parametrize("settle", ["0s", "1h"])
def test_reader_goes_while_rows_come(tenancy: Tenancy, settle: str) -> None:
    """A dead reader costs at most what it left in the pipe, and nothing within `settle`."""
    tenancy.populate(60)
    tenancy.configure(settle=settle, page_size=20)  # more than a pipe holds
    with tenancy.start("--table", "threats", reads=False) as running:
        pipe = running.process.stdout
        assert pipe is not None
        room = fcntl(pipe, F_GETPIPE_SZ)
        *seen, begun = os.read(pipe.fileno(), 20_000).split(b"\n")
        running.leave()
        ended_for_want_of_a_reader(running)
    again = tenancy.once("--table", "threats").lines
    lost = tenancy.shown(["threats"]) - {*seen, *again}
    assert sum(len(line) + 1 for line in lost) <= (room + len(begun) if settle == "0s" else 0)


@pytest.mark.parametrize("settle", ["0s", "1s"])
def test_reader_goes_while_nothing_happens(tenancy: Tenancy, settle: str) -> None:
    """The poller ends when its reader dies, also while nothing is new."""
    tenancy.populate(3)
    tenancy.configure(settle=settle, interval="200ms")
    with tenancy.start(reads=False) as running:
        running.wait_for("swept", count=5)
        running.leave()
        ended_for_want_of_a_reader(running)


@pytest.mark.parametrize("settle", ["0s", "1h"])
def test_reader_goes_while_the_console_is_away(tenancy: Tenancy, settle: str) -> None:
    """The poller ends when its reader dies, also while the console does not answer."""
    tenancy.configure(settle=settle)
    tenancy.console.faults.add(faults.hang("*", 300, times=None))
    with tenancy.start(reads=False) as running:
        until(lambda: len(tenancy.console.requests) >= 5, "a request of every feed")
        running.leave()
        ended_for_want_of_a_reader(running)


def test_rows_that_nobody_took_come_again(tenancy: Tenancy) -> None:
    """Rows that waited to be settled when the reader died are handed over again."""
    tenancy.populate(2)
    tenancy.configure(settle="2s", interval="1h")
    with tenancy.start(reads=False) as running:
        running.wait_for("swept", count=5)
        running.leave()
        ended_for_want_of_a_reader(running)
    assert set(tenancy.once().lines) == tenancy.shown()


def test_stdout_is_closed(tenancy: Tenancy) -> None:
    """A run with a closed stdout ends with status 1 and says so; the next one has every row."""
    tenancy.populate(10)
    command = " ".join([*COMMAND, "run", "--once", "--config", str(tenancy.config), ">&-"])
    for _ in range(2):
        done = subprocess.run(
            ["sh", "-c", command],
            env=surroundings(),
            cwd=tenancy.folder,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert "stdout" in logs_of(done.stderr)[-1]["error"]
    assert set(tenancy.once().lines) == tenancy.shown()


def test_nobody_reads_the_log(tenancy: Tenancy) -> None:
    """A log that nobody reads does not stop the rows."""
    tenancy.populate(10)
    reading, writing = os.pipe()
    os.close(reading)
    command = [*COMMAND, "run", "--once", "--config", str(tenancy.config)]
    done = subprocess.run(
        command, env=surroundings(), stdout=subprocess.PIPE, stderr=writing, check=False
    )
    os.close(writing)
    assert done.returncode == 0
    assert set(done.stdout.splitlines()) == tenancy.shown()


def test_stdout_that_does_not_block(tenancy: Tenancy) -> None:
    """A pipe that was made non-blocking gets every row."""
    tenancy.populate(60)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    command = [*COMMAND, "run", "--once", "--config", str(tenancy.config)]
    got = bytearray()
    with subprocess.Popen(command, env=surroundings(), stdout=writing, stderr=-1) as process:
        os.close(writing)
        until(lambda: tenancy.console.requests, "a request")
        while data := os.read(reading, 3000):
            got += data
        assert process.wait(10) == 0, process.stderr and process.stderr.read()
    os.close(reading)
    assert set(bytes(got).splitlines()) == tenancy.shown()


def test_file(tenancy: Tenancy) -> None:
    """`run --once > rows.ndjson` writes every row into the file."""
    tenancy.populate(10)
    command = [*COMMAND, "run", "--once", "--config", str(tenancy.config)]
    with (tenancy.folder / "rows").open("wb") as rows:
        subprocess.run(
            command, env=surroundings(), stdout=rows, stderr=subprocess.DEVNULL, check=True
        )
    assert set((tenancy.folder / "rows").read_bytes().splitlines()) == tenancy.shown()


def test_waiting_feeds_ask_ahead(tenancy: Tenancy) -> None:
    """A feed whose rows wait for the reader has already asked for its next page."""
    tenancy.populate(60)
    tenancy.configure(page_size=20, settle="1h")
    with tenancy.start("--table", "threats", "--table", "agents", reads=False) as running:
        following = until_each_is_followed(tenancy, "threats", "agents")
        running.read_on()
        running.wait_for("swept", count=2)
    assert len(following) == 2
    assert set(running.lines) == tenancy.shown(["threats", "agents"])


def until_each_is_followed(tenancy: Tenancy, *endpoints: str) -> list[str]:
    """The cursors of the second pages, one of each endpoint, once all of them are asked for."""

    def followed() -> dict[str, str]:
        return {
            request.endpoint: request.query["cursor"][0]
            for request in tenancy.console.requests
            if "cursor" in request.query
        }

    until(lambda: followed().keys() == set(endpoints), "a second request of each feed")
    return list(followed().values())
