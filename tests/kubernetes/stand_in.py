#!/usr/bin/python3
"""Stands in for Fluent Bit in a pod: takes rows, has them on disk when it says so.

Nothing is delivered: whoever wants the rows reads the file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.in_http import InHttp

if TYPE_CHECKING:
    from support.in_http_body import ParsedBody

FILE = Path(os.environ.get("FLUENT_BIT_STORAGE", "/var/lib/fluent-bit"), "rows.ndjson")


class OnDisk(InHttp):
    """Rows survive a SIGKILL."""

    def store(self, tag: str, reading: ParsedBody) -> int:
        stored = super().store(tag, reading)
        lines = [json.dumps(row) + "\n" for row in self.rows[tag][-stored:]] if stored else []
        with self.lock, FILE.open("a") as file:
            file.write("".join(lines))
        return stored


class Uptime(BaseHTTPRequestHandler):
    """What probes ask."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/v1/uptime" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


def main() -> None:
    """Until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host = os.environ.get("FLUENT_BIT_HTTP_LISTEN", "127.0.0.1")
    with OnDisk(port=8687), HTTPServer((host, 2020), Uptime) as probes:
        probes.serve_forever()


if __name__ == "__main__":
    main()
