"""`sentinelone-source run --once` as a real process, against the bench console."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.console import Account
from bench.rounds import BenchError, Used, child

COMMAND = Path(sys.executable).with_name("sentinelone-source")

_CONFIG = """
[state]
path = "state"
[[consoles]]
name = "bench"
url = "http://127.0.0.1:{port}"
token_file = "token"
[feeds]
start = "all"
{feeds}
[handover]
{settle}
"""


@dataclass(frozen=True)
class Polled:
    """One run.

    Attributes:
        used: by the process.
        account: of the console.
        rows: handed over, as the process says.
    """

    used: Used
    account: Account
    rows: int

    @property
    def reached(self) -> float:
        """Seconds from the start of the process to the arrival of its first request."""
        return self.account.first - self.used.started


class Bench:
    """A bench console in another process, and a poller to run against it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._readline())

    def run(
        self,
        tables: Iterable[str] = (),
        settle: str | None = "0s",
        command: Sequence[str] = ("run", "--once"),
        feeds: str = "",
    ) -> Polled:
        """One sweep from nothing, with a new state.

        Args:
            tables: only these.
            settle: of the configuration; None for the default.
            command: that hands over rows, with its arguments.
            feeds: more of `[feeds]`.
        """
        self.account()
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder, "config.toml")
            line = "" if settle is None else f'settle = "{settle}"'
            config.write_text(_CONFIG.format(port=self.port, settle=line, feeds=feeds))
            Path(folder, "token").write_text("bench")
            only = [word for name in tables for word in ("--table", name)]
            used = child([COMMAND, *command, "--config", config, *only])
        return Polled(used, self.account(), _rows(used.errors))

    def account(self) -> Account:
        """The console's account since the last one."""
        assert self._process.stdin
        print(file=self._process.stdin, flush=True)
        return Account(**json.loads(self._readline()))

    def _readline(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the bench console has ended")
        return line


@contextmanager
def console(pages: int, latency: float = 0.0, order: str = "in order") -> Iterator[Bench]:
    """A console with so many pages a table, answering after so many seconds."""
    command = [sys.executable, "-m", "bench.console", str(pages), str(latency), order]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Bench(process)
        finally:
            process.terminate()


def _rows(log: str) -> int:
    """The rows that were handed over, by the log; any trouble in it is raised."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    usual = ("info", "debug")
    if trouble := [
        one for one in lines if one["level"] not in usual and one["event"] != "old_rows"
    ]:
        raise BenchError(f"the poller had trouble: {trouble[0]}")
    return sum(line["rows"] for line in lines if line["event"] in ("swept", "backfilled"))
