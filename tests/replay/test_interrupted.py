"""Replays that are piped, watched, stopped and killed: nothing is missing, little comes twice."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from doubles.azure_faults import hang, throttle
from support.cloud import AzureTenancy
from support.processes import COMMAND, logs_of, surroundings
from support.replays import THREATS, arrived, plain, replayed, written
from support.waiting import until


def asked(cloud: AzureTenancy, often: int) -> bool:
    """Whether there have been so many requests."""
    return len(cloud.azure.requests) >= often


def test_standard_input(cloud: AzureTenancy) -> None:
    """Rows can come through a pipe, for which no checkpoint is written."""
    plain(cloud.folder / "rows.ndjson", 7)
    done = subprocess.run(
        [*COMMAND, "replay", "--config", str(cloud.config), "-"],
        input=(cloud.folder / "rows.ndjson").read_bytes() + b"nonsense",
        cwd=cloud.folder,
        env=surroundings(cloud.environ),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert logs_of(done.stderr.decode())[0]["event"] == "incomplete_line"
    assert arrived(cloud) == Counter("0123456")
    assert not list(cloud.folder.glob("*replay-state"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_at_a_silent_pipe(cloud: AzureTenancy, number: int) -> None:
    """A replay that waits for a pipe can be stopped."""
    command = [*COMMAND, "replay", "--config", str(cloud.config), "-"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    environ = surroundings(cloud.environ)
    with subprocess.Popen(command, cwd=cloud.folder, env=environ, **pipes) as process:
        assert process.stdin is not None
        process.stdin.write(f'{{"_table":"{THREATS}","ThreatName":"1"}}\n'.encode() * 20_000)
        process.stdin.flush()
        until(lambda: cloud.azure.rows[THREATS])
        process.send_signal(number)
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert b"nothing is remembered of standard input" in process.stderr.read()


def test_two_at_once(cloud: AzureTenancy) -> None:
    """A file is replayed by one process at a time."""
    plain(cloud.folder / "rows.ndjson", 3)
    cloud.azure.faults.add(hang("ingestion", 60))
    with cloud.start("replay", "rows.ndjson"):
        until(lambda: cloud.azure.token_requests)
        cloud.call("replay", "rows.ndjson", status=4)


def test_progress_on_a_terminal(cloud: AzureTenancy) -> None:
    """On a terminal there is a progress bar, and the summary follows it."""
    plain(cloud.folder / "rows.ndjson", 3000)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "replay", "--config", str(cloud.config), "rows.ndjson"],
        cwd=cloud.folder,
        env=surroundings(cloud.environ),
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # a terminal whose other end is closed
        while data := os.read(ours, 65_536):
            shown += data
    os.close(ours)
    assert process.wait(60) == 0
    assert b"[###" in shown
    assert b"replayed" in shown.split(b"\x1b[K")[-1]


def test_no_such_file(cloud: AzureTenancy) -> None:
    """A file that is missing is an error before the first one is sent."""
    plain(cloud.folder / "rows.ndjson", 3)
    running = cloud.call("replay", "rows.ndjson", "nowhere.ndjson", status=2)
    assert "nowhere.ndjson: no such file" in running.errors
    running = cloud.call("replay", "x" * 300, status=2)
    assert "x: cannot be read: File name too long" in running.errors
    assert not cloud.azure.requests


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_while_it_waits(cloud: AzureTenancy, number: int) -> None:
    """A replay that waits for Azure stops at once and says how far it came."""
    plain(cloud.folder / "rows.ndjson", 3000)
    cloud.azure.faults.add(throttle("ingestion", retry_after=600, after=1))
    with cloud.start("replay", "rows.ndjson") as running:
        running.wait_for("retry")
        assert running.stop(number) == 1
        assert "continues from here" in running.events("failed")[0]["error"]
        assert replayed(running)["rows"][THREATS] == len(cloud.azure.rows[THREATS]) > 0
    cloud.azure.faults.clear()
    cloud.call("replay", "rows.ndjson")
    assert arrived(cloud) == Counter(map(str, range(3000)))


def test_stopping_within_a_request(cloud: AzureTenancy) -> None:
    """A request under way is answered before the replay stops."""
    plain(cloud.folder / "rows.ndjson", 3000)
    cloud.azure.faults.add(hang("ingestion", 2, after=1))
    with cloud.start("replay", "rows.ndjson") as running:
        until(lambda: cloud.azure.rows[THREATS])
        assert running.stop() == 1
    cloud.call("replay", "rows.ndjson")
    assert set(arrived(cloud).values()) == {1}
    assert len(arrived(cloud)) == 3000


def test_killed(cloud: AzureTenancy) -> None:
    """After a crash nothing is missing, and at most one batch comes again."""
    made = written(cloud.folder / "rows.ndjson", 1200)
    kills = 0
    for after in (2, 9, 5):
        cloud.azure.faults.clear()
        cloud.azure.faults.add(hang("ingestion", 1, after=after))
        before = len(cloud.azure.requests)
        with cloud.start("replay", "rows.ndjson") as running:
            until(partial(asked, cloud, before + after))
            running.stop(signal.SIGKILL)
            kills += 1
    cloud.azure.faults.clear()
    cloud.call("replay", "rows.ndjson")
    rows = {json.dumps(row, sort_keys=True) for rows in cloud.azure.rows.values() for row in rows}
    assert len(rows) == len(set(made))
    total = sum(len(rows) for rows in cloud.azure.rows.values())
    per_request = max(request.rows for request in cloud.azure.requests)
    assert total - len(made) <= kills * per_request


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_memory(cloud: AzureTenancy) -> None:
    """Memory does not grow with the file."""
    plain(cloud.folder / "rows.ndjson", 100_000, size=1000)
    cloud.azure.faults.add(hang("ingestion", 60, after=100))
    with cloud.start("replay", "rows.ndjson") as running:
        until(lambda: len(cloud.azure.requests) >= 100)
        status = Path(f"/proc/{running.process.pid}/status").read_text()
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    assert int(peak) < 90_000  # KiB; the file has 107,000
