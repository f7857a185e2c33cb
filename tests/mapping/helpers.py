"""Mappings from a few lines of TOML, pages from records, and rows back from batches."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.spec.model import ConsoleId
from sentinelone_source.mapping.spec.schema import build

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from sentinelone_source.mapping.page import Page
    from sentinelone_source.mapping.rows.lines import Piece

    Known = Callable[[list[str], list[int]], Container[str]]

Columns = dict[str, Any]
CONSOLE = ConsoleId("acme", "https://acme.example")
ALL: Columns = {
    "Text": "$.value",
    "Json": {"path": "$.value", "type": "json"},
    "Dynamic": {"path": "$.value", "type": "dynamic"},
}


def document(columns: Columns | None = None, **over: Any) -> dict[str, Any]:
    """A mapping file of table Test_CL: key `$.id`, position `$.at`, and these columns."""
    return {
        "table": "Test_CL",
        "request": {"path": "tests"},
        "walk": {"id": "$.id", "position": "$.at", "filter": "at__gte", "sort_by": "at"},
        "columns": {"TimeGenerated": {"path": "$.at", "type": "datetime"}, **(columns or {})},
        **over,
    }


def mapper(columns: Columns | None = None, **over: Any) -> Mapper:
    return Mapper(build("tests", document(columns, **over), "tests.toml"))


def page_of(*records: Any, cursor: str | None = None) -> bytes:
    page = {"data": list(records), "pagination": {"nextCursor": cursor}}
    return json.dumps(page, separators=(",", ":"), ensure_ascii=False).encode()


def record(**members: Any) -> dict[str, Any]:
    return {"id": "1", "at": "2026-03-14T12:00:00.589793Z", **members}


def run(
    mapper: Mapper, body: bytes, known: Known | None = None
) -> tuple[Page, list[dict[str, Any]]]:
    """The page with its account, and its rows; checks what holds of every piece."""
    page = mapper.open(body, CONSOLE)
    rows: list[dict[str, Any]] = []
    for data, number in _pieces(mapper, page, known):
        assert len(data) <= 900_000
        assert data.endswith(b"\n")
        lines = data[:-1].split(b"\n")
        assert len(lines) == number
        rows += [json.loads(line, parse_float=Decimal) for line in lines]
    return page, rows


def _pieces(mapper: Mapper, page: Page, known: Known | None) -> Iterator[Piece]:
    for stride in mapper.strides(page):
        if known is not None:
            stride.leave_out(known(stride.keys, stride.positions))
        yield from stride.lines()


def rows_of(mapper: Mapper, *records: Any) -> list[dict[str, Any]]:
    return run(mapper, page_of(*records))[1]


def value_of(kind: str, value: Any) -> Any:
    """What a column of a type makes of a value: row value, None when left out."""
    rows = rows_of(mapper({"Value": {"path": "$.value", "type": kind}}), record(value=value))
    return rows[0].get("Value")
