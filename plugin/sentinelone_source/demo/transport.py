"""Calls and answers of HTTP, and how an answer is spelled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from email.utils import format_datetime
from gzip import compress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qs, parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

JSON: Final = "application/json"
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and what describes it; `Date` and the like are added on the way out.

    Attributes:
        dated: whether a `Date` is added.
        ending: what becomes of the connection: it is kept, ends with FIN, or with RST.
        sent: with another ending than `keep`, how many bytes of the body are sent before it; None
            is nothing at all.
    """

    status: int
    body: bytes = b""
    content_type: str | None = JSON
    headers: tuple[tuple[str, str], ...] = ()
    dated: bool = True
    ending: Literal["keep", "close", "reset"] = "keep"
    sent: int | None = None

    def packed(self, accepted: str) -> Answer:
        """With its body compressed, if the client accepts that and it is not yet encoded."""
        is_encoded = any(name == "Content-Encoding" for name, _ in self.headers)
        if not self.body or is_encoded or "gzip" not in accepted:
            return self
        headers = (*self.headers, ("Content-Encoding", "gzip"))
        return replace(self, body=compress(self.body, 1, mtime=0), headers=headers)

    def head(self, server: str, now: datetime) -> bytes:
        """Status line and headers."""
        phrase = _PHRASES.get(self.status, "Unknown")
        lines = [f"HTTP/1.1 {self.status} {phrase}", f"Server: {server}"]
        if self.dated:
            lines.append(f"Date: {format_datetime(now, usegmt=True)}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(self.body)}")
        if self.content_type:
            lines.append(f"Content-Type: {self.content_type}")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Call:
    """A request; the headers' names are lower case.

    Attributes:
        target: as it came: origin form (`/path?query`) or absolute form (`https://host/path`).
        body: without its transfer encoding; empty when it was longer than anything allowed.
        wire: bytes of the body as they came.
        base: scheme and authority under which the client knows this server.
        hold: stays silent for so many seconds; says whether the client still waits afterwards.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    wire: int = 0
    base: str = ""
    hold: Callable[[float], bool] = bool

    @property
    def is_absolute(self) -> bool:
        """Whether the request line names scheme and host."""
        return not self.target.startswith("/")

    @property
    def path(self) -> str:
        """Without the query."""
        target = self.target
        return urlsplit(target).path if self.is_absolute else target.partition("?")[0]

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The decoded query."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        """The decoded query, the last value of each parameter."""
        return {name: values[-1] for name, values in self.parameters.items()}

    @property
    def form(self) -> dict[str, str]:
        """The body as an HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
