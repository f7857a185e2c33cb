"""The stand-in for Vector: the source `exec`."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from threading import Event, Thread
from typing import IO, TYPE_CHECKING, Any

from support.vector_events import HttpRefusal, decoded

if TYPE_CHECKING:
    from support.vector_events import Router


class Exec:
    """The source `exec`: a program that runs for ever, its stdout and its stderr."""

    def __init__(self, config: dict[str, Any], route: Router, stopping: Event) -> None:
        self._config, self._route, self._stopping = config, route, stopping
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Returns when it has been told to stop and the program has ended."""
        while not self._stopping.is_set():
            with subprocess.Popen(
                self._config["command"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as self._process:
                pipes = {"stdout": self._process.stdout, "stderr": self._process.stderr}
                readers = [Thread(target=self._read, args=pipe) for pipe in pipes.items()]
                for reader in readers:
                    reader.start()
                for reader in readers:
                    reader.join()
            self._stopping.wait(self._config["streaming"]["respawn_interval_secs"])

    def stop(self) -> None:
        """SIGTERM to the program."""
        self._stopping.set()
        if self._process:
            self._process.terminate()

    def _read(self, stream: str, pipe: IO[bytes]) -> None:
        added = {"source_type": "exec", "host": "h", "pid": 1, "command": self._config["command"]}
        for line in pipe:
            try:
                rows = decoded(line)
            except HttpRefusal:
                print("Failed deserializing frame.", file=sys.stderr, flush=True)  # noqa: T201
                continue
            for row in rows:
                now = datetime.now(UTC)
                self._route(({**added, "stream": stream, "timestamp": now, **row}, None))
