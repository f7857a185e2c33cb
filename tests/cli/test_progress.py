"""How far a long command is: a bar for people on a terminal, log lines elsewhere."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import structlog

from sentinelone_source.cli.progress import ProgressDisplay
from sentinelone_source.times import Clock
from support.processes import COMMAND, surroundings
from support.waiting import LONG

if TYPE_CHECKING:
    from support.tenancy import Tenancy


class Screen(io.StringIO):
    """A stream that says it is a terminal, or that it is none."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_figures() -> None:
    """Rate and time left are of this process; what was done before it counts for neither."""
    seconds = iter([0.0, 0.0, 60.0, 61.0, 100.0])
    clock = Clock(lambda: 0, lambda: next(seconds))
    progress = ProgressDisplay("backfill", stream=Screen(False), clock=clock)
    with structlog.testing.capture_logs() as logs:
        for done, count in ((0.5, 0), (0.6, 1200), (0.61, 1300), (0.75, 5000)):
            progress.show(done, count)
    keys = ("done", "count", "per_second", "seconds_left")
    assert [tuple(line[key] for key in keys) for line in logs] == [
        (0.6, 1200, 20.0, 240),
        (0.75, 5000, 50.0, 100),
    ]


@pytest.mark.parametrize(
    ("done", "shown"),
    [(0.25, "[#######-----------------------]  25%  5,000 rows, 500 a second, 0:00:30 left"),
     (None, "5,000 rows, 500 a second")],
)  # fmt: skip
def test_bar(done: float | None, shown: str) -> None:
    """A bar says what is done, rows, rate and time left; it is removed at the end."""
    seconds = iter([0.0, 0.0, 10.0])
    screen = Screen(True)
    with ProgressDisplay(
        "run", stream=screen, clock=Clock(lambda: 0, lambda: next(seconds))
    ) as progress:
        progress.show(None if done is None else 0.0, 0)
        progress.show(done, 5000)
    assert screen.getvalue().endswith(f"\r{shown}\x1b[K\r\x1b[K")


@pytest.mark.parametrize("command", [["backfill", "--since", "2h"], ["run", "--once"]])
def test_on_a_terminal(tenancy: Tenancy, command: list[str]) -> None:
    """On a terminal both commands show a bar, and the rows on stdout stay the same."""
    tenancy.populate(20, over=timedelta(hours=1))
    master, slave = pty.openpty()
    shown = bytearray()
    watching = threading.Thread(target=watch, args=(master, shown))
    watching.start()
    with subprocess.Popen(
        [*COMMAND, *command, "--config", tenancy.config],
        stdout=subprocess.PIPE,
        stderr=slave,
        cwd=tenancy.folder,
        env=surroundings(),
    ) as process:
        os.close(slave)
        rows, _ = process.communicate(timeout=LONG)
    watching.join(LONG)
    os.close(master)
    assert set(rows.split(b"\n")[:-1]) == tenancy.shown()
    assert b"0 rows, 0 a second" in shown


def watch(terminal: int, shown: bytearray) -> None:
    """Read what is shown, until nobody can write any more."""
    with contextlib.suppress(OSError):
        while data := os.read(terminal, 1 << 16):
            shown += data
