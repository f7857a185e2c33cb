"""The tables and streams that the mappings need, and the limits of Azure Monitor on them.

The names and types of a mapping are checked when it is read. What only a deployment meets is from
Azure Monitor's documentation: "Add or delete tables and columns in Azure Monitor Logs", "Structure
of a data collection rule" and the service limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.spec.files import health_table, load_mappings
from sentinelone_source.mapping.spec.model import Column, Document, TableSpec

MAX_STREAMS = 10
MAX_COLUMNS = 500
_STREAM = re.compile(r"Custom-[A-Za-z][A-Za-z0-9_-]*", re.ASCII)


class Table(NamedTuple):
    """One table with its stream.

    Attributes:
        file: the mapping file that had the last word on it, for errors.
        retyped: built-in columns to which the user's mapping gives another type, with their own.
    """

    name: str
    stream: str
    file: str
    columns: tuple[Column, ...]
    retyped: tuple[tuple[Column, str], ...] = ()


def plan_tables(
    folder: Path | None = None, columns: Document | None = None, where: str = ""
) -> tuple[Table, ...]:
    """What the built-in mappings, the health rows and the user's folder need, in this order.

    A built-in column that the user's mapping leaves out stays: the parser of Microsoft's solution
    breaks without it, and a table deployed without it would lose what is in it.

    Takes what `load_mappings` takes, and raises what it raises.
    """
    built_in = {mapping.table: mapping for mapping in load_mappings().values()}
    mappings = load_mappings(folder, columns, where).values()
    tables = [_table(mapping, built_in.get(mapping.table)) for mapping in mappings]
    tables.insert(len(built_in), _table(health_table(columns or {}, where), None))
    return tuple(tables)


def _table(mapping: TableSpec, built_in: TableSpec | None) -> Table:
    standard = {column.name: column for column in built_in.columns} if built_in else {}
    columns = standard | {column.name: column for column in mapping.columns}
    retyped = tuple(
        (columns[name], column.type)
        for name, column in standard.items()
        if columns[name].kind.in_table != column.kind.in_table
    )
    return Table(mapping.table, mapping.stream, mapping.file, tuple(columns.values()), retyped)


def check_limits(tables: Iterable[Table]) -> None:
    """Refuse tables that Azure would refuse, or whose rows it would lose.

    Raises:
        ConfigError: naming the mapping file, the table and the column.
    """
    streams: dict[str, Table] = {}
    for number, table in enumerate(tables, 1):
        if number > MAX_STREAMS:
            raise ConfigError(
                f"{table.file}: {table.name}: one data collection rule takes {MAX_STREAMS} streams "
                f"and this is number {number}; deploy it from a mappings folder of its own"
            )
        for wrong in _mistakes(table):
            raise ConfigError(f"{table.file}: {table.name}: {wrong}")
        other = streams.setdefault(table.stream, table)
        if other is not table:
            raise ConfigError(
                f"{table.file}: {table.name}: stream: {table.stream!r} is the stream of "
                f"{other.name} already; every table needs its own"
            )


def _mistakes(table: Table) -> Iterator[str]:
    if not _STREAM.fullmatch(table.stream):
        yield f"stream: {table.stream!r} must begin with Custom-, such as 'Custom-{table.name}'"
    if len(table.columns) > MAX_COLUMNS:
        yield f"{len(table.columns)} columns; a table takes {MAX_COLUMNS}"
    seen: dict[str, str] = {}
    for column in table.columns:
        if other := seen.get(column.name.lower()):
            yield f"column {column.name}: there is a column {other} already, and Azure ignores case"
        seen[column.name.lower()] = column.name
