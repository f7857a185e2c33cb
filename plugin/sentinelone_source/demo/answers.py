"""HTTP answers as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
PLAIN: Final = "text/plain; charset=utf-8"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and what describes it; `Date` and the like are added on the way out.

    Attributes:
        dated: whether a `Date` is added.
        ending: what becomes of the connection: it is kept, ends with FIN, or with RST.
        sent: with another ending than `keep`, how many bytes of the body are sent before it. A
            reset with 0 comes before any byte of the answer.
    """

    status: int
    body: bytes = b""
    content_type: str | None = JSON
    headers: Headers = ()
    dated: bool = True
    ending: Literal["keep", "close", "reset"] = "keep"
    sent: int = 0


def data(value: object) -> Answer:
    """200 with `data`."""
    return Answer(200, msgspec.json.encode({"data": value}))


def failure(code: int, title: str, detail: str | None, headers: Headers = ()) -> Answer:
    """An error as the API words it; the code's first three digits are the status."""
    error: dict[str, Any] = {"code": code, "detail": detail, "title": title}
    return Answer(code // 10_000, msgspec.json.encode({"errors": [error]}), headers=headers)


def invalid(detail: str) -> Answer:
    """400: a parameter or a cursor is not understood."""
    return failure(4000010, "Validation Error", detail)


def throttled(retry_after: float | str | None) -> Answer:
    """429 from the API, saying how long to wait or not."""
    detail = "The requests are being throttled. Too many requests."
    headers = () if retry_after is None else (("Retry-After", f"{retry_after}"),)
    return failure(4290010, "Too Many Requests", detail, headers)


def page(status: int, title: str, footer: str = "nginx") -> Answer:
    """An HTML page of whatever stands in front of the API."""
    text = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
        f"</center>\r\n<hr><center>{footer}</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, text.encode(), HTML)


UNAUTHENTICATED: Final = failure(4010010, "Authentication Failed", None)
NOT_FOUND: Final = failure(4040010, "Not Found", "The requested URL was not found")
INVALID_CURSOR: Final = invalid("Invalid cursor value received")
LOGIN_PAGE: Final = page(200, "Management console: log in", "single sign-on")
