"""A stand-in for Vector, where no Vector is at hand: `http_server` and `exec`, up to Azure.

A process of its own that reads our real configurations:

    python http_server.py --config http.yaml
    python http_server.py validate http.yaml
    python http_server.py test http.yaml tests-http.yaml

It answers as Vector does: 200 when Azure has taken every row, 400 when a sink gave up. It keeps
nothing on disk, so a disk buffer is a memory buffer here.
"""

from __future__ import annotations

import base64
import hmac
import json
import signal
import sys
import zlib
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from support.vector_events import BatchNotifier, HttpRefusal, Router, Row, decoded, load
from support.vector_exec import Exec
from support.vector_sinks import AzureSink, LineSink
from support.waiting import until

_GZIP: Final = 31
_MANAGED: Final = {"azure_credential_kind": "managed_identity"}
_CONFIG: Final = 78
"""Exit status of a configuration that is wrong."""


class VectorHttpServer(ThreadingHTTPServer):
    """The source `http_server`."""

    daemon_threads = False  # requests under way are answered before the process ends
    request_queue_size = 128

    def __init__(self, config: dict[str, Any], route: Router) -> None:
        host, _, port = config["address"].rpartition(":")
        self.route = route
        self.strict = config.get("strict_path", True)
        self.path_key = config.get("path_key", "path")
        self.credentials = _credentials(config.get("auth"))
        super().__init__((host, int(port)), VectorHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away: that is no error, anything else is one."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _credentials(auth: dict[str, Any] | None) -> str:
    if not auth:
        return ""
    if auth["strategy"] != "basic":
        raise ValueError(f"the stand-in does not know auth.strategy {auth['strategy']!r}")
    both = f"{auth['username']}:{auth['password']}"
    return f"Basic {base64.b64encode(both.encode()).decode()}"


class VectorHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: VectorHttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 5  # an idle connection does not keep the process from ending

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            rows = self._rows(body)
        except HttpRefusal as refused:
            self._send(*refused.args)
            return
        batch = BatchNotifier(len(rows))
        now = datetime.now(UTC)
        for row in rows:
            self.server.route(({"source_type": "http_server", "timestamp": now, **row}, batch))
        if batch.wait():
            self._send(200)
        else:
            self._send(400, "Contents failed to deliver to sink")

    def do_GET(self) -> None:
        self._send(405)

    do_PUT = do_DELETE = do_GET  # noqa: N815 - found by their names

    def _rows(self, body: bytes) -> list[Row]:
        if self.server.strict and self.path != "/":
            raise HttpRefusal(404, "Not found")
        sent, wanted = self.headers.get("Authorization"), self.server.credentials
        if wanted and sent is None:
            raise HttpRefusal(401, "No authorization header")
        if wanted and not hmac.compare_digest(sent or "", wanted):
            raise HttpRefusal(401, "Invalid username/password")
        encoding = self.headers.get("Content-Encoding", "identity")
        if encoding not in ("identity", "gzip"):
            raise HttpRefusal(415, f"Unsupported encoding {encoding}")
        try:
            plain = zlib.decompress(body, _GZIP) if encoding == "gzip" else body
        except zlib.error:
            raise HttpRefusal(422, "Failed decompressing payload with gzip decoder.") from None
        rows = [row for line in plain.split(b"\n") if line.strip() for row in decoded(line)]
        if key := self.server.path_key:
            for row in rows:
                row.setdefault(key, self.path)
        return rows

    def _send(self, status: int, message: str = "") -> None:
        body = json.dumps({"code": status, "message": message}).encode() if message else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


def build(document: dict[str, Any]) -> tuple[dict[str, Any], Router]:
    """The source's configuration, and where its events go.

    Raises:
        ValueError, KeyError: something is not as the stand-in knows it.
    """
    kinds = {"azure_logs_ingestion": AzureSink, "file": LineSink, "console": LineSink}
    sinks: dict[str, Any] = {
        output: kinds[sink["type"]](sink)
        for sink in document["sinks"].values()
        for output in sink["inputs"]
        if sink["type"] in kinds
    }
    [(name, transform)] = document["transforms"].items()
    [source] = [document["sources"][source] for source in transform["inputs"]]
    return source, Router(name, transform, sinks)


def run(path: Path) -> None:
    """Until SIGTERM."""
    document = load(path)
    for sink in document["sinks"].values():
        assert sink.get("auth", _MANAGED) == _MANAGED, "the stand-in knows no other identity"
    source, route = build(document)
    stopping = Event()
    if source["type"] == "exec":
        program = Exec(source, route, stopping)
        signal.signal(signal.SIGTERM, lambda *_: program.stop())
        program.run()
        until(lambda: route.is_idle, "an empty buffer")
        return
    server = VectorHttpServer(source, route)
    serving = Thread(target=server.serve_forever, args=(0.02,))
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    serving.start()
    stopping.wait()
    server.shutdown()
    server.server_close()


def main(arguments: list[str]) -> int:
    """What a person types; gives the exit status."""
    words = [word for word in arguments if not word.startswith("-")]
    if words[0] == "validate":
        try:
            build(load(Path(words[1]), with_secrets=False))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            print(f"x {error!r}")  # noqa: T201
            return _CONFIG
        return 0
    if words[0] == "test":
        from shippers.vector_vrl import run_test

        document, tests = (load(Path(word)) for word in words[1:])
        return int(any(run_test(document, test) for test in tests["tests"]))
    run(Path(words[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
