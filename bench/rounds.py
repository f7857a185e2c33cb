"""Measuring in rounds: on a machine that others use, only neighbours in time can be compared."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BenchError(Exception):
    """Something that was to be measured did not work."""


@dataclass(frozen=True)
class Used:
    """What a process used: moments of the monotonic clock, CPU seconds, peak memory in MiB."""

    started: float
    ended: float
    cpu: float
    peak: float
    errors: str

    @property
    def wall(self) -> float:
        """Seconds from start to end."""
        return self.ended - self.started


def rounds(contenders: Mapping[K, Callable[[], V]], count: int) -> dict[K, list[V]]:
    """What each contender gives, all of them in turn, so many times."""
    found: dict[K, list[V]] = {name: [] for name in contenders}
    for _ in range(count):
        for name, run in contenders.items():
            found[name].append(run())
    return found


def cpu(function: Callable[[], object]) -> float:
    """CPU seconds of a call, after clearing up; what it returns is thrown away within it."""
    gc.collect()
    before = time.process_time()
    function()
    return time.process_time() - before


def child(command: Sequence[str | Path], output: str | Path = os.devnull) -> Used:
    """Run a command to its end, its output going to a file.

    Raises:
        BenchError: its exit status is not 0.
    """
    runner = [sys.executable, "-I", "-S", str(Path(__file__).with_name("child.py")), str(output)]
    environ = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    done = subprocess.run(
        [*runner, *map(str, command)], capture_output=True, text=True, check=True, env=environ
    )
    started, ended, seconds, peak, status = map(float, done.stdout.split())
    if status:
        raise BenchError(f"{' '.join(map(str, command))}: status {status:.0f}: {done.stderr}")
    return Used(started, ended, seconds, peak / 1024, done.stderr)


def marginal(command: Callable[[int], Sequence[str | Path]], more: int = 10) -> float:
    """CPU seconds a page, of whole processes: `more` pages less one page, start-up left out.

    Args:
        command: by the number of pages it is to work on.
        more: pages of the longer run.
    """
    few, many = child(command(1)), child(command(more))
    return (many.cpu - few.cpu) / (more - 1)
