"""The limits of Azure Monitor, checked before anything is printed.

The rules are those of Azure Monitor's documentation: "Add or delete tables and columns in Azure
Monitor Logs", "Structure of a data collection rule" and the service limits.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.rows.types import TYPES
from sentinelone_source.mapping.spec.columns import RESERVED
from sentinelone_source.toml import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sentinelone_source.template.tables import Table, TableColumn

MAX_STREAMS = 10
MAX_COLUMNS = 500
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}_CL", re.ASCII)
_STREAM = re.compile(r"Custom-[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


def check_limits(tables: Iterable[Table]) -> None:
    """Refuse tables that Azure would refuse, or whose rows it would lose.

    Raises:
        ConfigError: naming the mapping file, the table and the column.
    """
    tables = tuple(tables)
    streams: dict[str, Table] = {}
    for number, table in enumerate(tables, 1):
        if number > MAX_STREAMS:
            raise ConfigError(
                f"{table.file}: {table.name}: one data collection rule takes {MAX_STREAMS} streams "
                f"and this is number {number}; deploy it from a mappings folder of its own"
            )
        for wrong in chain(_names(table), _columns(table)):
            raise ConfigError(f"{table.file}: {table.name}: {wrong}")
        other = streams.setdefault(table.stream, table)
        if other is not table:
            raise ConfigError(
                f"{table.file}: {table.name}: stream: {table.stream!r} is the stream of "
                f"{other.name} already; every table needs its own"
            )


def _names(table: Table) -> Iterator[str]:
    if not _TABLE.fullmatch(table.name):
        yield "table: takes at most 63 letters, digits and _, a letter first, and ends in _CL"
    if not _STREAM.fullmatch(table.stream):
        yield f"stream: {table.stream!r} must begin with Custom-, such as 'Custom-{table.name}'"


def _columns(table: Table) -> Iterator[str]:
    if len(table.columns) > MAX_COLUMNS:
        yield f"{len(table.columns)} columns; a table takes {MAX_COLUMNS}"
    seen: dict[str, str] = {}
    for column in table.columns:
        for wrong in _column(column):
            yield f"column {column.name}: {wrong}"
        if other := seen.get(column.name.lower()):
            yield f"column {column.name}: there is a column {other} already, and Azure ignores case"
        seen[column.name.lower()] = column.name
    generated = next((c for c in table.columns if c.name == "TimeGenerated"), None)
    if generated is None or generated.type != "datetime":
        yield "column TimeGenerated: every table needs it, as a datetime"


def _column(column: TableColumn) -> Iterator[str]:
    if not (2 <= len(column.name) <= 45 and _COLUMN.fullmatch(column.name)):
        yield "a name has 2 to 45 letters, digits and _, a letter first"
    if column.name in RESERVED:
        yield "the name is reserved by Azure Monitor; choose another"
    if column.type not in TYPES:
        yield unknown("type", column.type, TYPES)
