"""What a mapping makes of records: columns filled and not, and fields that no column takes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from sentinelone_source.aligned import aligned
from sentinelone_source.errors import Skippable
from sentinelone_source.mapping.interpreter import decode_record
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.paths import Path
from sentinelone_source.mapping.spec.model import ConsoleId
from sentinelone_source.mapping.versions import Savings, Versions

Place = tuple[str, ...]
"""Member names from the record down; `[*]` is any item of a list."""

_ITEM = "[*]"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class ColumnUse(msgspec.Struct, frozen=True):
    """How one column fared: rows that have it, and values that its type does not take.

    Attributes:
        changed: rows in which it differs from the row before of the same id.
    """

    name: str
    type: str
    sources: tuple[str, ...]
    filled: int
    misfits: int
    changed: int = 0


class Field(msgspec.Struct, frozen=True):
    """A field that no column takes: its JSONPath, and in how many records it is not null."""

    path: str
    records: int


class Explanation(msgspec.Struct, frozen=True):
    """What became of some records. As text: two tables for a person to read.

    Attributes:
        savings: of a heartbeat of 24 hours; None where no id has more than one version, or the
            mapping no volatile columns.
    """

    table: str
    records: int
    rows: int
    dropped: int
    dead: int
    columns: tuple[ColumnUse, ...]
    unmapped: tuple[Field, ...]
    savings: Savings | None = None

    def __str__(self) -> str:
        taken = f"{self.table}: {self.records} records, {self.rows} rows"
        lines = [
            f"{taken}, {self.dropped} dropped, {self.dead} dead letters",
            "",
            *_column_lines(self.columns, self.rows),
            *(["", str(self.savings)] if self.savings else []),
            "",
            *_field_lines(self.unmapped),
        ]
        return "\n".join(lines)


def explain(mapper: Mapper, pages: Iterable[bytes], console: ConsoleId) -> Explanation:
    """Map pages, as the API sends them, and account for every column and field.

    Raises:
        NotAPage: one of them is no page.
    """
    mapping, versions = mapper.mapping, Versions()
    counts, misfits = Counter[str](), Counter[str]()
    fields: Counter[Place] = Counter()
    paths = {path for column in mapping.columns for path in column.paths}
    taken = {path.members for path in paths if path.plain}
    for body in pages:
        page = mapper.open(body, console)
        versions.look(mapper, page)
        counts.update(records=len(page.records), dropped=page.dropped, dead=len(page.dead))
        misfits += page.misfits
        for record in _readable(mapper.raws(page)):
            fields.update(_fields(record))
            taken.update(*(_matches(path, record) for path in paths if not path.plain))
    counted = versions.filled, misfits, versions.changed
    return Explanation(
        mapping.table,
        rows=versions.rows,
        **{key: counts[key] for key in ("records", "dropped", "dead")},
        columns=tuple(
            ColumnUse(one.name, one.type, one.sources, *(count[one.name] for count in counted))
            for one in mapping.columns
        ),
        unmapped=tuple(
            Field(_json_path(place), number)
            for place, number in sorted(fields.items())
            if not any(place[:length] in taken for length in range(len(place) + 1))
        ),
        savings=versions.savings() if mapping.ordering.volatile else None,
    )


def _matches(path: Path, record: dict[str, Any]) -> Iterator[Place]:
    from jsonpath_ng.ext.parser import parse
    from jsonpath_ng.jsonpath import Fields, Index

    try:
        found = parse(path.text).find(record)
    except Exception:  # noqa: BLE001 - whatever jsonpath-ng raises: it finds nothing here
        return
    for match in found:
        steps: list[str] = []
        step: Any = match
        while step is not None:
            if isinstance(step.path, Fields):
                steps.append(step.path.fields[0])
            elif isinstance(step.path, Index):
                steps.append(_ITEM)
            step = step.context
        yield tuple(reversed(steps))


def _readable(raws: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for raw in raws:
        try:
            yield decode_record(raw)
        except (Skippable, RecursionError):
            continue  # a dead letter


def _fields(record: dict[str, Any]) -> dict[Place, int]:
    """Every place of a record that holds a scalar or nothing; 1 if it is ever not null."""
    fields: dict[Place, int] = {}
    parts: list[tuple[Place, Any]] = [((), record)]
    while parts:
        place, value = parts.pop()
        if isinstance(value, dict) and value:
            parts += [((*place, name), child) for name, child in value.items()]
        elif isinstance(value, list) and value:
            parts += [((*place, _ITEM), child) for child in value]
        else:
            fields[place] = fields.get(place, 0) or int(value is not None)
    return fields


def _json_path(place: Place) -> str:
    steps = (
        step if step == _ITEM else f".{step}" if _PLAIN.fullmatch(step) else f"[{step!r}]"
        for step in place
    )
    return "$" + "".join(steps)


def _column_lines(columns: Sequence[ColumnUse], rows: int) -> Iterator[str]:
    cells = [["column", "type", "filled", "did not fit", "changed", "from"]]
    for one in columns:
        filled = f"{one.filled} of {rows}" if one.filled else "never"
        counts = [filled, str(one.misfits or ""), str(one.changed or "")]
        cells.append([one.name, one.type, *counts, ", ".join(one.sources)])
    if not any(one.changed for one in columns):
        for line in cells:
            line.pop(-2)
    return _table(*cells)


def _field_lines(fields: Sequence[Field]) -> Iterable[str]:
    if not fields:
        return ["Every field of the API is taken by a column."]
    cells = [[field.path, str(field.records or "always null")] for field in fields]
    return _table(["field that no column takes", "records"], *cells)


def _table(head: Sequence[str], *rows: Sequence[str]) -> Iterator[str]:
    ruled = ["-" * max(map(len, cells)) for cells in zip(head, *rows, strict=True)]
    return aligned([head, ruled, *rows])
