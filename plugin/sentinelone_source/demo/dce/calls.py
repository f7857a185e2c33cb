"""A request as the answering rooms see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Call:
    """A request; the headers' names are lower case.

    Attributes:
        target: as it came: origin form (`/path?query`) or absolute form (`https://host/path`).
        body: without its transfer encoding; empty when it was longer than anything allowed.
        wire: bytes of the body as they came.
        base: scheme and authority under which the client knows this server.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    wire: int
    base: str

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
    def query(self) -> dict[str, str]:
        """The decoded query."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body as an HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
