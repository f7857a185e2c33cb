"""The keys of the rows that a workspace table has. The query is made from the table's mapping.

A row that arrives more than two days late gets the time of its arrival as `TimeGenerated`. So rows
are found by the columns that hold id, version and position. `TimeGenerated` only limits how much of
the table is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from sentinelone_source.azure.workspace import QueryAnswer
from sentinelone_source.errors import ConfigError, SourceError
from sentinelone_source.mapping.paths import Path
from sentinelone_source.mapping.rows.convert import DoesNotFit, to_micros
from sentinelone_source.mapping.spec.model import Column, Mapping
from sentinelone_source.times import SECOND, SYSTEM_CLOCK, to_iso

Ask = Callable[[str], QueryAnswer]

MOST_ROWS = 100_000
"""Most rows of one answer; Azure's own limit is 500,000 rows, or 64 MB."""
_DISPLACED = 3 * 86_400 * SECOND
"""How far `TimeGenerated` can lie before a row's arrival: two days, and one for wrong clocks."""
_TIME = "TimeGenerated"


class PartOnly(SourceError):
    """The workspace returns only part of its rows, even for the shortest slice of time."""


@dataclass(frozen=True)
class TableQuery:
    """The query for the keys of a table's rows, with KQL for each part of a key.

    The version is empty to compare ids only, the position if only `TimeGenerated` has it.
    """

    table: str
    id: str
    version: str
    position: str
    most: int = MOST_ROWS

    @classmethod
    def of(cls, mapping: Mapping, *, versions: bool = True) -> Self:
        """The query of a mapping. Raises ConfigError if no column holds the id."""
        ordering = mapping.ordering
        if not (id_ := _value(mapping, ordering.id)):
            raise ConfigError(
                f"mapping {mapping.name}: no column of {mapping.table} holds the id "
                f"({ordering.id.text}), so the workspace cannot be compared; add one to [columns]"
            )
        version = _value(mapping, ordering.version) if ordering.version and versions else ""
        position = _value(mapping, ordering.position)
        times = {column.name for column in mapping.columns if column.type == "datetime"}
        if position and position not in times:  # Log Analytics has an index on datetime columns
            position = f"todatetime(tostring({position}))"
        return cls(mapping.table, f"tostring({id_})", version and f"tostring({version})", position)

    def keys(self, ask: Ask, start: int, end: int) -> Iterator[str]:
        """The keys of rows with positions from `start` to before `end`, as `comparable` makes them.

        Raises PartOnly if the workspace returns only part of the rows, else SourceError.
        """
        if self.position:
            yield from self._slice(ask, start, end)
        else:
            yield from self._slice(ask, start - _DISPLACED, SYSTEM_CLOCK.now() + _DISPLACED)

    def _slice(self, ask: Ask, start: int, end: int) -> Iterator[str]:
        """Query a slice of time, or its halves if the answer is too large."""
        answer = ask(self.text(start, end))
        if not answer.partial and len(answer.rows) < self.most:
            for id_, version in answer.rows:
                yield comparable(f"{id_}@{version}") if version else str(id_)
            return
        if end - start < 2 * SECOND:
            reason = answer.partial or f"more than {self.most} rows"
            raise PartOnly(
                f"{self.table}: the workspace returned only part of the rows for "
                f"{to_iso(start)} to {to_iso(end)}: {reason}"
            )
        middle = (start + end) // 2
        yield from self._slice(ask, start, middle)
        yield from self._slice(ask, middle, end)

    def text(self, start: int, end: int) -> str:
        """The query for one slice, in KQL."""
        position = self.position or _TIME
        return "\n".join(
            (
                self.table,
                f"| where {_TIME} >= datetime({to_iso(start - _DISPLACED)})",
                f"| where {position} >= datetime({to_iso(start)})",
                f"| where {position} < datetime({to_iso(end)})",
                f"| project Id = {self.id}, Version = {self.version or repr('')}",
                "| distinct Id, Version",
                f"| take {self.most}",
            )
        )


def comparable(key: str) -> str:
    """A key with its version in microseconds, because Azure writes times with seven digits."""
    id_, _, version = key.rpartition("@")
    try:
        return f"{id_}@{to_micros(version)}"
    except DoesNotFit:
        return key


def _value(mapping: Mapping, path: Path) -> str:
    """KQL for the value of a record's path in its row; empty if no column holds it.

    A column with the value alone is preferred to a column with an object that has the value.
    """
    columns = [c for c in mapping.columns if c.name != _TIME and not c.redact and len(c.paths) == 1]
    for column in columns:
        if column.paths[0].text == path.text:
            return column.name
    for column in columns:
        if _holds(column, path):
            members = path.members[len(column.paths[0].members) :]
            return f"parse_json({column.name})" + "".join(f'["{name}"]' for name in members)
    return ""


def _holds(column: Column, path: Path) -> bool:
    """Whether a column holds, as JSON, an object that the path leads into."""
    around = column.paths[0]
    is_json = column.type in ("json", "dynamic")
    return (
        is_json
        and around.plain
        and path.plain
        and path.members[: len(around.members)] == around.members
    )
