"""A stand-in for Vector, in a process of its own: `http_server`, one route, Azure and files.

    python vector.py --config http.yaml

It reads our real configurations. It keeps nothing and tries nothing twice: a batch is a 200 when
Azure has taken every row of it, and a 400 as soon as a request of it has failed, as when Vector's
own tries are over.
"""

from __future__ import annotations

import base64
import itertools
import os
import re
import signal
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Condition, Event
from typing import Any, Final

import msgspec
import requests
import tomli
import yaml

from sentinelone_source.demo.http_server import Answer, Call, HttpServer

Row = dict[str, Any]
_SECRET: Final = re.compile(r"SECRET\[([\w-]+)\.([\w./-]+)\]")
_EQUALS: Final = re.compile(r'\.(\w+) == "([^"]*)"')
_BEGINS: Final = re.compile(r'starts_with!\(\.(\w+), "([^"]*)"\)')


class VectorStandIn(HttpServer):
    """The source `http_server`, and what follows it."""

    def __init__(self, document: dict[str, Any]) -> None:
        [(self._name, transform)] = document["transforms"].items()
        [name] = transform["inputs"]
        self._source = document["sources"][name]
        self._routes: dict[str, str] = transform["route"]
        sinks = document["sinks"].values()
        self._sinks: dict[str, Any] = {one: sink for sink in sinks for one in sink["inputs"]}
        self._under_way, self._changed = 0, Condition()
        super().__init__(_address(self._source), self._answer, name="Vector")

    def finish(self) -> None:
        """Returns when no batch is under way."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way)

    def _answer(self, call: Call) -> Answer:
        with self._changed:
            self._under_way += 1
        try:
            return self._take(call)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _take(self, call: Call) -> Answer:
        wanted = self._source.get("auth")
        if wanted and call.headers.get("authorization") != _basic(wanted):
            return _refusal(401, "Invalid username/password")
        added = {"source_type": "http_server"}
        if key := self._source["path_key"]:
            added[key] = call.path
        rows: dict[str, list[Row]] = defaultdict(list)
        for line in zlib.decompress(call.body, wbits=31).splitlines():
            row = added | msgspec.json.decode(line)
            rows[self._output(row)].append(row)
        if all(_deliver(self._sinks[name], some) for name, some in rows.items()):
            return Answer(200)
        return _refusal(400, "Contents failed to deliver to sink")

    def _output(self, row: Row) -> str:
        """Where a row leaves the transform."""
        matching = (
            route
            for route, condition in self._routes.items()
            if all(_holds(part, row) for part in condition.split(" && "))
        )
        return f"{self._name}.{next(matching, '_unmatched')}"


def _holds(comparison: str, row: Row) -> bool:
    """Whether a field has a text, or begins with it."""
    if found := _EQUALS.fullmatch(comparison):
        return bool(row.get(found[1]) == found[2])
    found = _BEGINS.fullmatch(comparison)
    assert found, f"the stand-in does not know {comparison}"
    return str(row.get(found[1])).startswith(found[2])


def _basic(auth: dict[str, str]) -> str:
    both = f"{auth['username']}:{auth['password']}"
    return f"Basic {base64.b64encode(both.encode()).decode()}"


def _refusal(status: int, message: str) -> Answer:
    return Answer(status, msgspec.json.encode({"code": status, "message": message}))


def _deliver(sink: dict[str, Any], rows: list[Row]) -> bool:
    """Whether a sink has taken all rows."""
    gone = set(sink["encoding"]["except_fields"])
    lines = [
        msgspec.json.encode({name: value for name, value in row.items() if name not in gone})
        for row in rows
    ]
    if sink["type"] == "file":
        with Path(sink["path"]).open("ab") as file:
            file.writelines(line + b"\n" for line in lines)
        return True
    return all(_sent(sink, body) for body in _bodies(lines, sink["batch"]["max_bytes"]))


def _bodies(lines: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Lists of rows, each as long as a request may be."""
    size, some = 0, list[bytes]()
    for line in lines:
        if some and size + len(line) > limit:
            yield b"[%b]" % b",".join(some)
            size, some = 0, []
        size += len(line)
        some.append(line)
    yield b"[%b]" % b",".join(some)


def _sent(sink: dict[str, Any], body: bytes) -> bool:
    """Whether Azure has taken a request, sent with a token of App Service's managed identity."""
    rule = f"{sink['endpoint']}/dataCollectionRules/{sink['dcr_immutable_id']}"
    url = f"{rule}/streams/{sink['stream_name']}?api-version=2023-01-01"
    seconds = sink["request"]["timeout_secs"]
    try:
        issued = requests.get(
            os.environ["IDENTITY_ENDPOINT"],
            {"api-version": "2019-08-01", "resource": "https://monitor.azure.com"},
            headers={"x-identity-header": os.environ["IDENTITY_HEADER"]},
            timeout=seconds,
        )
        issued.raise_for_status()
        headers = {"Authorization": f"Bearer {issued.json()['access_token']}"}
        headers["Content-Type"] = "application/json"
        return requests.post(url, body, headers=headers, timeout=seconds).status_code == 204
    except requests.RequestException:
        return False


def load(path: Path) -> dict[str, Any]:
    """A configuration; its secrets are put in as text before it is parsed, as Vector does."""
    text = path.read_text()
    read: Callable[[str], Any] = tomli.loads if path.suffix == ".toml" else yaml.safe_load
    folders = {name: backend["path"] for name, backend in read(text).get("secret", {}).items()}

    def secret(found: re.Match[str]) -> str:
        return Path(folders[found[1]], found[2]).read_text().rstrip()

    document: dict[str, Any] = read(_SECRET.sub(secret, text))
    return document


def _address(component: dict[str, Any]) -> tuple[str, int]:
    host, _, port = component["address"].rpartition(":")
    return host, int(port)


def _metrics(call: Call) -> Answer:
    """What probes ask."""
    return Answer(200 if call.path == "/metrics" else 404)


def main(arguments: list[str]) -> None:
    """As Vector is started, with one `--config` or more. Until SIGTERM."""
    files = [Path(after) for word, after in itertools.pairwise(arguments) if word == "--config"]
    documents = [load(path) for path in files]
    over = Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    with ExitStack() as stack:
        for sink in itertools.chain(*(document["sinks"].values() for document in documents)):
            if sink["type"] == "prometheus_exporter":
                stack.enter_context(HttpServer(_address(sink), _metrics))
        server = stack.enter_context(VectorStandIn(documents[0]))
        over.wait()
        server.finish()


if __name__ == "__main__":
    main(sys.argv[1:])
