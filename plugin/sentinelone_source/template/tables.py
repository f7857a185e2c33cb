"""The tables and streams that the mappings need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentinelone_source.mapping.rows.types import TYPES
from sentinelone_source.mapping.spec.files import built_in_folder, health_table, load_mappings
from sentinelone_source.toml import read_toml

if TYPE_CHECKING:
    from pathlib import Path

    from sentinelone_source.mapping.spec.model import Document, TableSpec


@dataclass(frozen=True)
class TableColumn:
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


@dataclass(frozen=True)
class Table:
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
    paths = [path for place in (built_in_folder(), folder) if place for path in _sorted(place)]
    return {str(read_toml(path).get("table")): str(path) for path in paths}


def _sorted(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml"))


def _table(mapping: TableSpec, built_in: TableSpec | None, file: str) -> Table:
    types = {column.name: column.type for column in mapping.columns}
    standard = {column.name: column.type for column in built_in.columns} if built_in else {}
    columns = [TableColumn(name, types.get(name, kind)) for name, kind in standard.items()]
    columns += [TableColumn(name, kind) for name, kind in types.items() if name not in standard]
    retyped = tuple(
        (column, standard[column.name])
        for column in columns
        if column.in_table
        != TableColumn(column.name, standard.get(column.name, column.type)).in_table
    )
    return Table(mapping.table, mapping.stream, mapping.name, file, tuple(columns), retyped)
