"""What goes over the wire: an answer, or an answer spoiled by a fault."""

from __future__ import annotations

from dataclasses import dataclass, replace
from email.utils import format_datetime
from gzip import compress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from . import pages
from .faults import BrokenGzip, BrokenJson, Close, Effect, RepeatCursor, Reset

if TYPE_CHECKING:
    from datetime import datetime

    from .answers import Answer
    from .api import Call

_GZIP: Final = ("Content-Encoding", "gzip")


@dataclass(frozen=True, slots=True)
class Delivery:
    """An answer ready to be sent: `sent` bytes of its body, then an ending."""

    answer: Answer
    sent: int
    ending: Literal["keep", "close", "reset"] = "keep"

    def head(self, now: datetime) -> bytes:
        """Status line and headers."""
        answer = self.answer
        lines = [
            f"HTTP/1.1 {answer.status} {_phrase(answer.status)}",
            "Server: nginx",
            f"Date: {format_datetime(now, usegmt=True)}",
            *(f"{name}: {value}" for name, value in answer.headers),
            f"Content-Length: {len(answer.body)}",
        ]
        if answer.content_type:
            lines.append(f"Content-Type: {answer.content_type}")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def deliver(answer: Answer, call: Call, effect: Effect | None, gzip_level: int) -> Delivery:
    """Packs an answer the way the client accepts it, and spoils it."""
    if isinstance(effect, BrokenJson):
        answer = replace(answer, body=answer.body[: len(answer.body) // 2])
    if isinstance(effect, RepeatCursor) and (sent := call.parameters.get("cursor")):
        again = pages.with_cursor(answer.body, quote(sent[-1], safe=""))
        answer = replace(answer, body=again)
    accepts_gzip = "gzip" in call.headers.get("accept-encoding", "")
    if answer.body and (accepts_gzip or isinstance(effect, BrokenGzip)):
        body = compress(answer.body, gzip_level, mtime=0)
        answer = replace(answer, body=body, headers=(*answer.headers, _GZIP))
    if isinstance(effect, BrokenGzip):
        answer = replace(answer, body=answer.body[: len(answer.body) // 2])
    if isinstance(effect, Close | Reset):
        sent_bytes = min(effect.after_bytes, max(len(answer.body) - 1, 0))
        return Delivery(answer, sent_bytes, "close" if isinstance(effect, Close) else "reset")
    return Delivery(answer, len(answer.body))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
