"""What a console has against what has arrived in Azure, row by row and value by value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from doubles.azure import Azure
from support.tenancy import Tenancy

AZURE_LIMIT = 1_048_576
"""Bytes of a request."""


def text_of(table: str, row: Mapping[str, Any]) -> str:
    """A row in one way of writing, to be compared: values exactly, members in any order."""
    return table + msgspec.json.encode(row, order="deterministic").decode()


def rows_of(lines: Iterable[bytes]) -> set[str]:
    """The rows that lines of the source are to become in Azure."""
    decoded = [msgspec.json.decode(line) for line in lines]
    return {text_of(row.pop("_table"), row) for row in decoded}


def shown(tenancy: Tenancy) -> set[str]:
    """The rows of all records as the console shows them now."""
    return rows_of(tenancy.shown())


def arrived(azure: Azure) -> Counter[str]:
    """Every row that Azure has, with how often it came."""
    return Counter(text_of(table, row) for table, rows in azure.rows.items() for row in rows)


def nothing_is_missing(tenancy: Tenancy, azure: Azure) -> bool:
    """Whether every row of the console is in its table."""
    return shown(tenancy) <= arrived(azure).keys()


def each_came_once(tenancy: Tenancy, azure: Azure) -> bool:
    """Whether every row of the console is in its table once, and nothing else."""
    return arrived(azure) == Counter(shown(tenancy))


def check_requests(azure: Azure) -> None:
    """Nothing that Azure would have refused, cut or dropped was sent to it."""
    assert azure.requests
    assert max(request.wire for request in azure.requests) <= AZURE_LIMIT
    lost = {name: counts for name, counts in azure.losses.items() if counts}
    assert lost == {}
