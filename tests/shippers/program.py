"""A shipper in a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

from support.processes import surroundings
from support.waiting import LONG, until


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


class ShipperProgram:
    """Runs from `start` to `stop` or `kill`, as often as one likes; a context manager.

    Args:
        command: the program and its arguments.
        folder: where it runs, and where its log goes.
        environ: what its configuration asks for.
        port: one that it listens on once it is up; None if it does not listen.
    """

    def __init__(
        self, command: list[str], folder: Path, environ: dict[str, str], port: int | None
    ) -> None:
        self.command = command
        self.folder = folder
        self.environ = environ
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def said(self) -> str:
        """What it, and a source that it runs, wrote so far; all lives in one file."""
        return (self.folder / "shipper.log").read_text()

    def start(self) -> None:
        """Returns when it listens, if it does."""
        with (self.folder / "shipper.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=surroundings(self.environ),
            )
        until(lambda: not self.port or self._listens(), f"a shipper that listens on {self.port}")

    def _listens(self) -> bool:
        assert self.process is None or self.process.poll() is None, self.said[-3000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """SIGKILL; returns when those that it ran have gone, too: they hold its ports."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait(LONG)
            until(lambda: not self.port or not self._listens(), f"nobody left on {self.port}")

    def stop(self) -> int:
        """SIGTERM; gives the exit status, once everything that was under way is over."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        return process.wait(LONG + 30)

    def reload(self) -> None:
        """SIGHUP."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
