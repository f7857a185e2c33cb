"""The tables and streams that the mappings need, and the limits of Azure Monitor on them.

The limits are those of Azure Monitor's documentation: "Add or delete tables and columns in Azure
Monitor Logs", "Structure of a data collection rule" and the service limits.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.rows.types import TYPES
from sentinelone_source.mapping.spec.files import built_in_folder, health_table, load_mappings
from sentinelone_source.mapping.spec.schema import RESERVED
from sentinelone_source.toml import read_toml, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sentinelone_source.mapping.spec.model import Document, TableSpec

MAX_STREAMS = 10
MAX_COLUMNS = 500
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}_CL", re.ASCII)
_STREAM = re.compile(r"Custom-[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


class TableColumn(NamedTuple):
    """A column of a table and of its stream; `type` is the mapping's word for it."""

    name: str
    type: str

    @property
    def in_table(self) -> dict[str, str]:
        """As the tables API takes it."""
        return {"name": self.name, "type": TYPES[self.type].in_table}

    @property
    def in_stream(self) -> dict[str, str]:
        """As a stream declaration takes it."""
        return {"name": self.name, "type": TYPES[self.type].in_stream}


class Table(NamedTuple):
    """One table with its stream.

    Attributes:
        mapping: the mapping's name.
        file: the mapping file that had the last word on it, for errors.
        retyped: built-in columns to which the user's mapping gives another type, with their own.
    """

    name: str
    stream: str
    mapping: str
    file: str
    columns: tuple[TableColumn, ...]
    retyped: tuple[tuple[TableColumn, str], ...] = ()


def plan_tables(
    folder: Path | None = None, columns: Document | None = None, where: str = ""
) -> tuple[Table, ...]:
    """What the built-in mappings, the health rows and the user's folder need, in this order.

    A built-in column that the user's mapping leaves out stays: the parser of Microsoft's solution
    breaks without it, and a table deployed without it would lose what is in it.

    Takes what `load_mappings` takes, and raises what it raises.
    """
    built_in = {mapping.table: mapping for mapping in load_mappings().values()}
    files = _files(folder)
    tables = [
        _table(mapping, built_in.get(mapping.table), files[mapping.table])
        for mapping in load_mappings(folder, columns, where).values()
    ]
    tables.insert(len(built_in), _table(health_table(columns or {}, where), None, "[health]"))
    return tuple(tables)


def _files(folder: Path | None) -> dict[str, str]:
    """The file of each table that was read last."""
    folders = [built_in_folder()] + ([folder] if folder else [])
    paths = [path for one in folders for path in sorted(one.glob("*.toml"))]
    return {str(read_toml(path).get("table")): str(path) for path in paths}


def _table(mapping: TableSpec, built_in: TableSpec | None, file: str) -> Table:
    types = {column.name: column.type for column in mapping.columns}
    standard = {column.name: column.type for column in built_in.columns} if built_in else {}
    columns = [TableColumn(name, kind) for name, kind in (standard | types).items()]
    retyped = tuple(
        (column, standard[column.name])
        for column in columns
        if column.in_table["type"] != TYPES[standard.get(column.name, column.type)].in_table
    )
    return Table(mapping.table, mapping.stream, mapping.name, file, tuple(columns), retyped)


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
