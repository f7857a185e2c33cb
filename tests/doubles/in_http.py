"""A stand-in for Fluent Bit's `in_http` on loopback: takes what the source sends, and nothing else.

with InHttp([status("sentinelone.threats", 503, times=2)]) as shipper:
    ...                                 # POST to shipper.url + "sentinelone.threats.1"
shipper.rows                            # {"sentinelone.threats.1": [...]}
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, NamedTuple

from doubles.connections import Ended, hold
from sentinelone_source.demo.http_server import Answer, Call, HttpServer

Rows = list[dict[str, Any]]
_REFUSAL: Final = b"error: unable to process records\n"


@dataclass
class InHttpFault:
    """What befalls requests whose tag begins with `tag`.

    Attributes:
        status: the answer; 0 is none, the connection is reset.
        stored: whether the rows are stored nevertheless, as when only the answer gets lost.
        hangs: silence for as long as the client waits, or until the stand-in is stopped.
        times: how many requests; None: for ever.
    """

    tag: str
    status: int = 0
    stored: bool = False
    hangs: bool = False
    times: int | None = 1


def status(tag: str, code: int, **how: Any) -> InHttpFault:
    """This status; what was sent is not stored."""
    return InHttpFault(tag, code, **how)


def reset(tag: str, **how: Any) -> InHttpFault:
    """RST instead of an answer."""
    return InHttpFault(tag, **how)


def lost_answer(tag: str, **how: Any) -> InHttpFault:
    """Stored, and RST instead of the 201."""
    return InHttpFault(tag, stored=True, **how)


def hang(tag: str, **how: Any) -> InHttpFault:
    """Silence."""
    return InHttpFault(tag, hangs=True, **how)


class Post(NamedTuple):
    """A request that came in whole. `status` is 0 where the connection was reset.

    Attributes:
        size: bytes of the body before gzip.
        rows: how many of them were stored.
    """

    tag: str
    headers: Mapping[str, str]
    size: int
    status: int
    rows: int


class InHttp(HttpServer):
    """Listens from `start` to `stop`, or as a context manager; keeps its port and its rows.

    Attributes:
        rows: what is stored, by tag, in order.
        posts: what came in, in order.
        script: the faults to come; like the following it may change while it runs.
        refuses: a body that holds this is a 400, as from a rule of which the sender knows nothing.
        room: how many more rows the disk takes; None is no limit. A full disk is a 400, and the
            part of the batch that had room is stored.
        authorization: the header without which a request is a 401, which quotes the wrong one;
            empty: none is asked for.
    """

    def __init__(
        self, faults: Iterable[InHttpFault] = (), *, port: int = 0, refuses: bytes = b""
    ) -> None:
        super().__init__(("127.0.0.1", port), self._answer, name="Fluent Bit")
        self.script = list(faults)
        self.refuses = refuses
        self.room: int | None = None
        self.authorization = ""
        self.rows: dict[str, Rows] = {}
        self.posts: list[Post] = []
        self.lock = Lock()

    @property
    def url(self) -> str:
        """Where to post; the tag follows it."""
        return f"{super().url}/"

    def stored(self, prefix: str = "") -> Rows:
        """All rows whose tag begins so, in the order of their first arrival under a tag."""
        with self.lock:
            return [
                row for tag, rows in self.rows.items() if tag.startswith(prefix) for row in rows
            ]

    def store(self, tag: str, rows: Rows) -> None:
        """Keep rows."""
        self.rows.setdefault(tag, []).extend(rows)

    def _answer(self, call: Call) -> Answer:
        tag = re.sub("[^A-Za-z0-9_.]", "_", call.path[1:])
        fault = self._fault(tag)
        if fault and fault.hangs:
            hold(call, 3600)
        plain = zlib.decompress(call.body, wbits=31)
        code, rows = 0, 0
        if not fault or fault.stored:
            code, rows = self._take(tag, call, plain)
        code = fault.status if fault else code
        self.posts.append(Post(tag, call.headers, len(plain), code, rows))
        if not code:
            return Ended(0, ending="reset")
        said = {400: _REFUSAL, 401: call.headers.get("authorization", "").encode()}
        return Answer(code, said.get(code, b""), None)

    def _fault(self, tag: str) -> InHttpFault | None:
        """The next fault of the script that wants this request."""
        with self.lock:
            for fault in self.script:
                if tag.startswith(fault.tag) and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None

    def _take(self, tag: str, call: Call, plain: bytes) -> tuple[int, int]:
        """The status, and how many rows are stored."""
        if self.authorization and call.headers.get("authorization") != self.authorization:
            return 401, 0
        is_json = call.headers.get("content-type") == "application/json"
        if not is_json or (self.refuses and self.refuses in plain):
            return 400, 0
        rows = [json.loads(line) for line in plain.splitlines()]
        with self.lock:
            taken = rows[: self.room]
            if self.room is not None:
                self.room -= len(taken)
            self.store(tag, taken)
        return 201 if len(taken) == len(rows) else 400, len(taken)
