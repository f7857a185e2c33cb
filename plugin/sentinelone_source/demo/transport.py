"""How an answer goes over the wire."""

from __future__ import annotations

from dataclasses import replace
from email.utils import format_datetime
from gzip import compress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from sentinelone_source.demo.answers import Answer

_ENCODING: Final = "Content-Encoding"
_GZIP_LEVEL: Final = 1


def packed(answer: Answer, accepted: str) -> Answer:
    """The answer with its body compressed, if the client accepts that and it is not yet encoded."""
    is_encoded = any(name == _ENCODING for name, _ in answer.headers)
    if not answer.body or is_encoded or "gzip" not in accepted:
        return answer
    body = compress(answer.body, _GZIP_LEVEL, mtime=0)
    return replace(answer, body=body, headers=(*answer.headers, (_ENCODING, "gzip")))


def head(answer: Answer, now: datetime) -> bytes:
    """Status line and headers."""
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}", "Server: nginx"]
    if answer.dated:
        lines.append(f"Date: {format_datetime(now, usegmt=True)}")
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines.append(f"Content-Length: {len(answer.body)}")
    if answer.content_type:
        lines.append(f"Content-Type: {answer.content_type}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
