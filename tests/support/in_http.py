"""A stand-in for Fluent Bit's `in_http` on loopback, where no Fluent Bit is at hand.

with InHttp([status("sentinelone.threats", 503, times=2)]) as shipper:
    ...                                 # POST to shipper.url + "sentinelone.threats.1"
shipper.rows                            # {"sentinelone.threats.1": [...]}
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Self

from sentinelone_source.config.addresses import Address
from support.in_http_server import InHttpHandler, InHttpServer, Post

if TYPE_CHECKING:
    from collections.abc import Iterable

    from support.in_http_body import ParsedBody

LIMIT: Final = 4_000_000
"""Bytes of a body as sent; Fluent Bit's `buffer_max_size: 4M`."""


@dataclass
class InHttpFault:
    """What befalls requests whose tag begins with `tag`.

    Attributes:
        status: the answer; 0 is none, the connection is reset.
        wait: seconds of silence before the answer.
        stored: whether the rows are stored nevertheless, as when only the answer gets lost.
        times: how many requests; None: for ever.
        after: how many pass before the first that it befalls.
    """

    tag: str
    status: int = 0
    wait: float = 0.0
    stored: bool = False
    times: int | None = 1
    after: int = 0


def status(tag: str, code: int, **how: Any) -> InHttpFault:
    """This status; what was sent is not stored."""
    return InHttpFault(tag, code, **how)


def reset(tag: str, **how: Any) -> InHttpFault:
    """RST instead of an answer."""
    return InHttpFault(tag, 0, **how)


def lost_answer(tag: str, **how: Any) -> InHttpFault:
    """Stored, and RST instead of the 201."""
    return InHttpFault(tag, 0, stored=True, **how)


def slow(tag: str, seconds: float, **how: Any) -> InHttpFault:
    """Stored and answered, after some silence."""
    return InHttpFault(tag, 201, seconds, stored=True, **how)


def hang(tag: str, **how: Any) -> InHttpFault:
    """Silence until the stand-in is stopped."""
    return InHttpFault(tag, 0, 3600.0, **how)


@dataclass
class InHttp:
    """Listens from `start` to `stop`, or as a context manager; keeps its port and its rows.

    While it is stopped, connections are refused. `paused` and `room` may change while it runs.

    Attributes:
        rows: what is stored, by tag, in order.
        posts: what came in, in order.
        paused: as with `storage.pause_on_chunks_overlimit`: connections are reset.
        refuses: a body that holds this is a 400, as from a rule of which the sender knows nothing.
        room: how many more rows the disk takes; None is no limit. A full disk is a 400, and the
            part of the batch that had room is stored.
        token: what `Authorization: Bearer` must carry; `basic`: a user and a password.
    """

    faults: Iterable[InHttpFault] = ()
    port: int = 0
    token: str = ""
    basic: tuple[str, str] | None = None
    limit: int = LIMIT
    paused: bool = False
    refuses: bytes = b""
    room: int | None = None
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.script = list(self.faults)
        self.lock = Lock()
        self.stopping = Event()
        self._poisoned: set[str] = set()
        self._server: InHttpServer | None = None

    @property
    def url(self) -> str:
        """Where to post; the tag follows it."""
        return f"http://127.0.0.1:{self.port}/"

    def stored(self, prefix: str = "") -> list[dict[str, Any]]:
        """All rows whose tag begins so, in the order of their first arrival under a tag."""
        with self.lock:
            return [
                row for tag, rows in self.rows.items() if tag.startswith(prefix) for row in rows
            ]

    def start(self) -> None:
        """Returns when requests can come."""
        self.stopping.clear()
        self._server = InHttpServer(Address("127.0.0.1", self.port), InHttpHandler)
        self._server.shipper = self
        self.port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Ends every connection; returns when the port is closed."""
        server, self._server = self._server, None
        if server is not None:
            self.stopping.set()
            server.shutdown()
            server.end_older_than(0.0)
            server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fault(self, tag: str) -> InHttpFault | None:
        """The next fault of the script that wants this request."""
        with self.lock:
            for fault in self.script:
                if not tag.startswith(fault.tag) or fault.times == 0:
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                fault.times = None if fault.times is None else fault.times - 1
                return fault
        return None

    def allows(self, authorization: str) -> bool:
        """Whether a request may come in."""
        if self.token:
            return authorization == f"Bearer {self.token}"
        if self.basic:
            sent = base64.b64encode(":".join(self.basic).encode()).decode()
            return authorization == f"Basic {sent}"
        return True

    def store(self, tag: str, reading: ParsedBody) -> int:
        """Keep what gets through; gives the number of rows, and lowers the status if needed."""
        with self.lock:
            rows = [] if tag in self._poisoned else reading.rows
            if self.room is not None:
                if len(rows) > self.room:
                    reading.status = 400
                rows = rows[: self.room]
                self.room -= len(rows)
            if reading.poisoned:
                self._poisoned.add(tag)
            self.rows.setdefault(tag, []).extend(rows)
        return len(rows)
