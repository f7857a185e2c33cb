"""Calls and answers of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from gzip import compress
from http.server import BaseHTTPRequestHandler
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlsplit


@dataclass(frozen=True)
class Answer:
    """Status, body and headers, which replace those that the server adds."""

    status: int
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def packed(self, accepted: str) -> Answer:
        """With its body compressed, if the client accepts that and it is not yet encoded."""
        if not self.body or "Content-Encoding" in dict(self.headers) or "gzip" not in accepted:
            return self
        headers = (*self.headers, ("Content-Encoding", "gzip"))
        return replace(self, body=compress(self.body, 1, mtime=0), headers=headers)

    def send(self, handler: BaseHTTPRequestHandler, headers: Mapping[str, str]) -> None:
        """Write it with these headers of the server's; a header without a value is left out."""
        own = {
            "Content-Length": "" if self.status == 204 else str(len(self.body)),
            "Content-Type": self.content_type,
        }
        handler.send_response_only(self.status)
        for name, value in {**headers, **own, **dict(self.headers)}.items():
            if value:
                handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(self.body)


NO_CONTENT: Final = Answer(204, content_type=None)


@dataclass(frozen=True)
class Call:
    """A request; the headers' names are lower case.

    Attributes:
        target: as it came: origin form (`/path?query`) or absolute form (`https://host/path`).
        base: scheme and authority under which the client knows this server.
        handler: of the connection.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    base: str
    handler: BaseHTTPRequestHandler

    @property
    def path(self) -> str:
        """Without the query."""
        target = self.target
        return target.partition("?")[0] if target.startswith("/") else urlsplit(target).path

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
