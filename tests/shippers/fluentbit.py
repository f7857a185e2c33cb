"""The real Fluent Bit in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

from support.processes import surroundings
from support.waiting import LONG, until

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "fluent-bit"
"""The configurations as users get them."""


def binary() -> str | None:
    """`$FLUENT_BIT`, else `fluent-bit` on PATH; None if there is neither."""
    return os.environ.get("FLUENT_BIT") or shutil.which("fluent-bit")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


class FluentBit:
    """Runs from `start` to `stop` or `kill`, as often as one likes; a context manager.

    Args:
        program: the binary.
        config: its configuration.
        folder: where it runs, and where its log goes.
        environ: what the configuration asks for.
        port: one that it listens on once it is up.
    """

    def __init__(
        self, program: str, config: Path, folder: Path, environ: Mapping[str, str], port: int
    ) -> None:
        self.program = program
        self.config = config
        self.folder = folder
        self.environ = dict(environ)
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it, and a source that it runs, wrote to stderr; all lives in one file."""
        return self.folder / "fluent-bit.log"

    def start(self) -> None:
        """Returns when it listens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=surroundings(self.environ),
            )
        until(self.listens, f"a Fluent Bit that listens on {self.port}")

    def listens(self) -> bool:
        """Whether the port is open."""
        assert self.process is None or self.process.poll() is None, self.log.read_text()[-3000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """SIGKILL; returns when those that it ran have gone, too: they hold its ports."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait(LONG)
            until(lambda: not self.listens(), f"nobody left on port {self.port}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """SIGTERM, or another; gives the exit status."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(number)
        return process.wait(LONG)

    def reload(self) -> None:
        """SIGHUP."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def changed(name: str, folder: Path, changes: Mapping[str, str]) -> Path:
    """A copy of a shipped configuration in which each of these texts is another one.

    Raises:
        AssertionError: a text is not there.
    """
    text = (SHIPPED / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    copy = folder / name
    copy.write_text(text)
    return copy
