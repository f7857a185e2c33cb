"""What a console has against what has arrived in Azure, row by row and value by value."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from shippers.vector import AZURE_LIMIT
from support.tenancy import TABLES

if TYPE_CHECKING:
    from doubles.azure import Azure
    from support.tenancy import Tenancy


def canonical(rows: list[dict[str, Any]]) -> Counter[str]:
    """Rows as comparable text, with how often they came."""
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def shown(tenancy: Tenancy) -> dict[str, Counter[str]]:
    """What should arrive, by table."""
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES.values()}
    for line in tenancy.shown():
        row = json.loads(line)
        rows[row.pop("_table")].append(row)
    return {table: canonical(found) for table, found in rows.items() if found}


def arrived(azure: Azure) -> dict[str, Counter[str]]:
    """What has arrived, by table."""
    return {table: canonical(list(rows)) for table, rows in azure.rows.items() if rows}


def nothing_is_missing(tenancy: Tenancy, azure: Azure) -> bool:
    """Whether every row of the console is in its table."""
    there = arrived(azure)
    return all(rows.keys() <= there.get(table, {}).keys() for table, rows in shown(tenancy).items())


def nothing_else_came(azure: Azure) -> None:
    """No foreign column, no request that Azure refuses for its size."""
    assert not any(azure.losses.values()), azure.losses
    assert all(request.wire <= AZURE_LIMIT for request in azure.requests)
