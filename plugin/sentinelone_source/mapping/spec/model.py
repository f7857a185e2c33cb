"""A mapping, read and checked: which endpoint, how to walk it, which path fills which column."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any, NamedTuple

import msgspec

from sentinelone_source.mapping.paths import Path
from sentinelone_source.mapping.rows.types import ColumnType
from sentinelone_source.mapping.spec.conditions import Drop
from sentinelone_source.times import Seconds

Document = dict[str, Any]
"""A mapping file as TOML gives it."""
Parameters = Dict[str, str | int | bool | list[str | int]]
"""Of a query, or for the places of a body."""


class ConsoleId(NamedTuple):
    """Which console records come from; what is None is left out of rows."""

    name: str | None
    url: str | None


class Column(msgspec.Struct, frozen=True):
    """One column of the table. Of several paths the first with a value counts.

    Attributes:
        console: which field of `ConsoleId` it has instead of a value of the record.
        aliases: for an object: a further name, and the member that it stands for.
    """

    name: str
    kind: ColumnType
    paths: tuple[Path, ...]
    redact: bool = False
    aliases: tuple[tuple[str, str], ...] = ()
    console: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its values are from, as text."""
        if self.console:
            return (f"{self.console} of the console",)
        return tuple(path.text for path in self.paths)

    @property
    def type(self) -> str:
        """The type's name in mapping files."""
        return self.kind.name


class RequestSpec(msgspec.Struct, frozen=True):
    """`[request]`: what to ask the console for, and where its answer has what.

    Attributes:
        records: the list of records; with `[*]`, a member of each of its items.
        body: a document with places, sent by POST; None for a list by GET.
        passes: values for further places; each is a pass over the same positions.
        more: whether there is a next page; None where the cursor says it.
    """

    path: str
    records: Path = Path.read("$.data")
    cursor: Path = Path.read("$.pagination.nextCursor")
    page_size: int = 1000
    params: Parameters = {}
    body: dict[str, Any] | None = None
    passes: tuple[Parameters, ...] = ()
    more: Path | None = None
    errors: Path | None = None

    @property
    def beside(self) -> str:
        """The member that a page has beside the one that leads to its records."""
        pairs = zip(self.cursor.members, self.records.members, strict=False)
        return next(name for name, other in pairs if name != other)


class Ordering(msgspec.Struct, frozen=True):
    """`[walk]`: how to go through an endpoint in ascending order of position.

    Attributes:
        version: what changes with the record; None where records never change.
        position: the value of the ordering field, ISO 8601 text.
        filter, until: query parameters for the first position wanted, inclusive, and for the end,
            exclusive; None for a POST, or where the console has none.
        inventory: the first sweep takes everything there is.
        rescan: recent records are read again for changed versions.
        volatile: columns whose change alone is not worth a row.
    """

    id: Path
    position: Path
    version: Path | None = None
    filter: str | None = None
    sort_by: str | None = None
    until: str | None = None
    inventory: bool = False
    rescan: bool = False
    lookback: Seconds = Seconds(86_400)
    volatile: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that lead into a record."""
        return tuple(path for path in (self.id, self.version, self.position) if path)


class TableSpec(msgspec.Struct, frozen=True):
    """A table of the workspace: what Azure and the shippers have to know of it.

    Attributes:
        name: of what makes its rows.
        file: the one that had the last word on it, for errors.
    """

    name: str
    file: str
    table: str
    stream: str
    columns: tuple[Column, ...]


class Mapping(TableSpec, frozen=True):
    """One table, from endpoint to columns. `name` is the file's: `threats` of `threats.toml`.

    Attributes:
        enabled: polled unless the configuration says otherwise; if False, only if it says so.
    """

    request: RequestSpec
    ordering: Ordering
    drops: tuple[Drop, ...] = ()
    enabled: bool = True

    @property
    def secret_paths(self) -> tuple[Path, ...]:
        """Where this table's records hold secrets."""
        return tuple(path for column in self.columns if column.redact for path in column.paths)
