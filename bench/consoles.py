"""Many consoles in one process: memory, threads, descriptors, and when each feed was swept."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.poller import COMMAND, Bench, console
from bench.report import Goal, Row, measured
from bench.rounds import BenchError

LATENCY = 1.4
"""Seconds that a console takes for an answer."""
INTERVAL = 60
DESCRIPTORS = 1024
FEEDS = 5
_RUNS = ((100, Goal(80, " MiB"), Goal(64, "")), (500, Goal(150, " MiB"), Goal(64, "")))
_CONFIG = """
[state]
path = "state"
[feeds]
interval = "{interval}s"
start = "all"
[handover]
settle = "0s"
"""
_CONSOLE = """
[[consoles]]
name = "console{n}"
url = "http://127.{high}.{low}.1:{port}"
token_file = "token"
"""


@dataclass
class Watched:
    """The peaks of a process, by what the kernel says of it now and then."""

    memory: float = 0.0
    threads: int = 0
    descriptors: int = 0
    cpu: float = 0.0

    def look(self, pid: int) -> None:
        """Look once."""
        folder = Path(f"/proc/{pid}")
        with contextlib.suppress(FileNotFoundError):
            lines = (folder / "status").read_text().splitlines()
            status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            self.memory = int(status["VmHWM"].split()[0]) / 1024
            self.threads = max(self.threads, int(status["Threads"]))
            self.descriptors = max(self.descriptors, len(list((folder / "fd").iterdir())))
            ticks = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
            self.cpu = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def run() -> list[Row]:
    """Sweep every feed of so many consoles twice."""
    with console(0, LATENCY) as bench:
        return [
            row
            for number, memory, threads in _RUNS
            for row in _rows(bench, number, memory, threads)
        ]


def _rows(bench: Bench, number: int, memory: Goal, threads: Goal) -> list[Row]:
    watched, swept, failed = _poll(bench, number)
    within = Goal(2 * INTERVAL, " s")
    never, last = number * FEEDS - len(swept), max(swept.values())
    what = f"{number} consoles, {LATENCY} s an answer"

    def row(name: str, ours: str, goal: Goal | None = None, value: float = 0.0) -> Row:
        return measured("consoles", f"{what}: {name}", ours, value, goal)

    return [
        row("peak memory", f"{watched.memory:.0f} MiB", memory, watched.memory),
        row("threads", f"{watched.threads}", threads, watched.threads),
        row("descriptors", f"{watched.descriptors} of {DESCRIPTORS}"),
        row("feeds never swept", f"{never} of {number * FEEDS}", Goal(0, ""), never),
        row("every feed swept within", f"{last:.0f} s", within, last),
        row("failed sweeps", f"{failed}", Goal(0, ""), failed),
        row("CPU of two intervals", f"{watched.cpu:.1f} s"),
    ]


def _poll(bench: Bench, number: int) -> tuple[Watched, dict[tuple[str, str], float], int]:
    """Run for two intervals; when each feed was swept first, in seconds after the start."""
    watched = Watched()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "token").write_text("bench")
        consoles = (
            _CONSOLE.format(n=n, high=1 + n // 250, low=n % 250, port=bench.port)
            for n in range(number)
        )
        config = folder / "config.toml"
        config.write_text("".join([_CONFIG.format(interval=INTERVAL), *consoles]))
        with (folder / "log").open("w") as log:
            began = time.time()
            process = subprocess.Popen(
                [COMMAND, "run", "--config", config],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
            while time.time() < began + 2 * INTERVAL and process.poll() is None:
                watched.look(process.pid)
                time.sleep(0.25)
            process.send_signal(signal.SIGTERM)
            if process.wait(60):
                raise BenchError((folder / "log").read_text()[-2000:])
        lines: list[dict[str, Any]] = list(map(json.loads, (folder / "log").open()))
    swept: dict[tuple[str, str], float] = {}
    for line in lines:
        if line["event"] == "swept":
            at = datetime.fromisoformat(line["timestamp"]).timestamp()
            swept.setdefault((line["console"], line["feed"]), at - began)
    return watched, swept, sum(line["level"] in ("warning", "error") for line in lines)
