#!/usr/bin/python3
"""Stands in for Fluent Bit in a pod: takes rows, has them on disk when it says so.

Nothing is delivered: whoever wants the rows reads the file.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

from doubles.in_http import InHttp, Rows
from sentinelone_source.demo.http_server import Answer, Call, HttpServer

FILE = Path(os.environ.get("FLUENT_BIT_STORAGE", "/var/lib/fluent-bit"), "rows.ndjson")


class OnDisk(InHttp):
    """Rows survive a SIGKILL."""

    def store(self, tag: str, rows: Rows) -> None:
        super().store(tag, rows)
        with FILE.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


def uptime(call: Call) -> Answer:
    """What probes ask."""
    return Answer(200 if call.path == "/api/v1/uptime" else 404)


def main() -> None:
    """Until SIGTERM."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    host = os.environ.get("FLUENT_BIT_HTTP_LISTEN", "127.0.0.1")
    with OnDisk(port=8687), HttpServer((host, 2020), uptime):
        over.wait()


if __name__ == "__main__":
    main()
