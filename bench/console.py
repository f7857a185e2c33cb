"""A console that costs next to nothing, in a process of its own.

Pages are made and compressed before they are asked for where there are few, and when they are
asked for where there are many. `python -m bench.console PAGES LATENCY ORDER` prints its port; a
line on stdin is answered with an account of the requests since the last one.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import sys
import threading
import time
import zlib
from dataclasses import asdict, dataclass, field
from email.utils import formatdate
from typing import BinaryIO
from urllib.parse import parse_qs, quote, urlsplit

from bench.pages import RECORDS, TABLES, first_from, mappings, template
from sentinelone_source.times import parse_time

READY = 20
"""So many pages a table are made beforehand; more would fill the memory."""
_PREFIX = "/web/api/v2.1/"


@dataclass
class Account:
    """What came in. Moments are of the monotonic clock, which processes share.

    Attributes:
        first: the arrival of the first request.
        last: the arrival of the last one.
        served: the longest time from a request to its answer's last byte, less the latency.
    """

    requests: dict[str, int] = field(default_factory=dict)
    first: float = 0.0
    last: float = 0.0
    served: float = 0.0
    cpu: float = 0.0


class PageConsole:
    """Serves every table's pages to everybody who asks.

    Args:
        pages: of each table.
        latency: seconds from a request to its answer.
        order: of the records' positions.
    """

    def __init__(self, pages: int, latency: float, order: str = "in order") -> None:
        self._pages = pages
        self._order = order
        self._latency = latency
        self._tables = {f"{_PREFIX}{mappings()[name].request.path}": name for name in TABLES}
        self._lock = threading.Lock()
        self._account = Account()
        self._cpu = 0.0
        self._ready = {
            (name, begin, pages * RECORDS): self._page(name, begin, pages * RECORDS)
            for name in TABLES
            for begin in range(0, min(pages, READY) * RECORDS, RECORDS)
        }
        self._listener = socket.create_server(
            ("", 0), backlog=512
        )  # every address of 127.0.0.0/8 is a console
        self.port = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Take connections for ever, each into a thread of its own."""
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def report(self) -> Account:
        """The account so far; begins a new one."""
        cpu = time.process_time()
        with self._lock:
            account, self._account = self._account, Account()
        account.cpu, self._cpu = cpu - self._cpu, cpu
        return account

    def _connection(self, connection: socket.socket) -> None:
        reset = contextlib.suppress(ConnectionError)  # by a client that needs no further page
        with reset, connection, connection.makefile("rb") as stream:
            while target := _target(stream):
                arrived = time.monotonic()
                url = urlsplit(target)
                name = self._tables.get(url.path, "")
                head, body = self._answer(name, parse_qs(url.query))
                time.sleep(max(0.0, arrived + self._latency - time.monotonic()))
                connection.sendall(head)
                connection.sendall(body)
                if name:
                    self._note(name, arrived)

    def _note(self, name: str, arrived: float) -> None:
        served = time.monotonic() - arrived - self._latency
        with self._lock:
            account = self._account
            account.requests[name] = account.requests.get(name, 0) + 1
            account.first = min(account.first or arrived, arrived)
            account.last = max(account.last, arrived)
            account.served = max(account.served, served)

    def _answer(self, name: str, query: dict[str, list[str]]) -> tuple[bytes, bytes]:
        if not name:  # when the token expires
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b""
        begin, end = 0, self._pages * RECORDS
        for parameter, [value, *_] in query.items():
            if parameter.endswith("__lt"):
                end = min(end, first_from(parse_time(value)))
            elif parameter.endswith("__gte"):
                begin = first_from(parse_time(value))
        if "cursor" in query:
            begin = json.loads(base64.b64decode(query["cursor"][0]))["record"]
        body = self._ready.get((name, begin, end)) or self._page(name, begin, end)
        lines = (
            "HTTP/1.1 200 OK",
            f"Date: {formatdate(usegmt=True)}",
            "Content-Type: application/json",
            "Content-Encoding: gzip",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join([*lines, "\r\n"]).encode(), body

    def _page(self, name: str, begin: int, end: int) -> bytes:
        """A page from a record on as it goes over the wire; an empty one where there are none."""
        following = begin + RECORDS
        cursor = _cursor(name, following) if following < end else None
        numbers = range(begin, min(end, following))
        return _gzip(template(name).part(numbers, cursor, self._order))


def _cursor(name: str, record: int) -> str:
    """Percent-encoded base64 of JSON, as the console has it."""
    text = json.dumps({"id_column": f"{name}.id", "record": record})
    return quote(base64.b64encode(text.encode()).decode(), safe="")


def _gzip(body: bytes) -> bytes:
    """At nginx's usual level, 1."""
    return zlib.compress(body, 1, zlib.MAX_WBITS | 16)


def _target(stream: BinaryIO) -> str:
    """What the next request asks for; empty when there is none."""
    words = stream.readline().split()
    length = 0
    while header := stream.readline().strip().lower():
        if header.startswith(b"content-length:"):
            length = int(header.partition(b":")[2])
    stream.read(length)
    return words[1].decode() if words else ""


def main(pages: str, latency: str, order: str) -> None:
    """Serve until stdin ends."""
    console = PageConsole(int(pages), float(latency), order)
    print(console.port, flush=True)
    threading.Thread(target=console.serve, daemon=True).start()
    console.report()
    for _ in sys.stdin:
        print(json.dumps(asdict(console.report())), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
