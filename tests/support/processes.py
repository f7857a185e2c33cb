"""The real program in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

from support.waiting import LONG, until

COMMAND = [sys.executable, "-m", "sentinelone_source"]


class Running:
    """A process whose stdout is read as a shipper reads it, unless told otherwise.

    Attributes:
        out: what was read so far.
    """

    def __init__(
        self,
        *arguments: object,
        folder: Path,
        environ: dict[str, str] | None = None,
        reads: bool = True,
    ) -> None:
        self.out = bytearray()
        self._log = folder / f"stderr-{len(list(folder.glob('stderr-*')))}"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=surroundings(environ),
                bufsize=0,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        if reads:
            self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self._reader.is_alive():
            self._reader.join(LONG)
        if self.process.stdout is not None:
            self.process.stdout.close()

    @property
    def lines(self) -> list[bytes]:
        """The whole lines that were read."""
        return bytes(self.out).split(b"\n")[:-1]

    @property
    def errors(self) -> str:
        """Everything on stderr so far."""
        return self._log.read_text()

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The log so far; every whole line of it must be a JSON object."""
        return logs_of(self.errors)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's lines of one kind."""
        return [line for line in self.logs if line["event"] == name]

    def wait_for(self, event: str, count: int = 1, **like: object) -> None:
        """Returns when the log has so many lines of this kind."""

        def met() -> bool:
            assert self.process.poll() is None or enough(), self.errors
            return enough()

        def enough() -> bool:
            found = [line for line in self.events(event) if like.items() <= line.items()]
            return len(found) >= count

        until(met, f"{event} {like}")

    def read_on(self) -> None:
        """Begin to read stdout after all."""
        self._reader.start()

    def leave(self) -> None:
        """The reader goes away."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    def stop(self, number: int = signal.SIGTERM, limit: float = LONG) -> int:
        """Send a signal; gives the exit status."""
        self.process.send_signal(number)
        return self.wait(limit)

    def wait(self, limit: float = LONG) -> int:
        """The exit status, when the process has ended and everything is read."""
        status = self.process.wait(limit)
        if self._reader.is_alive():
            self._reader.join(limit)
        return status

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while data := os.read(stream.fileno(), 65_536):
            self.out += data


def surroundings(environ: dict[str, str] | None = None) -> dict[str, str]:
    """This environment without what the program itself would read, and with what is given."""
    others = ("SSL_CERT_", "REQUESTS_CA_", "HTTP_PROXY", "HTTPS_PROXY", "AZURE_", "IDENTITY_")
    ours = ("SENTINELONE_", *others)
    clean = {key: value for key, value in os.environ.items() if not key.upper().startswith(ours)}
    return clean | (environ or {})


def logs_of(errors: str) -> list[dict[str, Any]]:
    """Log lines as objects; a last line that is still being written is left out."""
    lines = [json.loads(line) for line in errors.split("\n")[:-1]]
    assert all(isinstance(line, dict) and {"event", "level"} <= line.keys() for line in lines)
    return lines
