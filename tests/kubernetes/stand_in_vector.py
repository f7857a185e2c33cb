"""Stands in for Vector in a pod: the stand-in of the shippers' tests, and metrics to probe."""

from __future__ import annotations

import itertools
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

from support.http_server import run


class Metrics(BaseHTTPRequestHandler):
    """What probes ask."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


def main(arguments: list[str]) -> None:
    """As Vector is started: `--config FILE --config FILE`. Until SIGTERM."""
    files = [Path(after) for word, after in itertools.pairwise(arguments) if word == "--config"]
    for path in files:
        for sink in yaml.safe_load(path.read_text())["sinks"].values():
            if sink["type"] == "prometheus_exporter":
                host, _, port = sink["address"].rpartition(":")
                server = ThreadingHTTPServer((host, int(port)), Metrics)
                Thread(target=server.serve_forever, daemon=True).start()
    run(files[0])


if __name__ == "__main__":
    main(sys.argv[1:])
