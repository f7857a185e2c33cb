"""What a mapping makes of records: columns filled and not, and fields that no column takes."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.aligned import aligned
from sentinelone_source.errors import Skippable
from sentinelone_source.mapping.interpreter import decode_record
from sentinelone_source.mapping.versions import Savings, Versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sentinelone_source.mapping.mapper import Mapper
    from sentinelone_source.mapping.paths import Path
    from sentinelone_source.mapping.spec.model import ConsoleId, Mapping

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
        return "\n".join(_text(self))


def explain(mapper: Mapper, pages: Iterable[bytes], console: ConsoleId) -> Explanation:
    """Map pages and account for every column and field.

    Args:
        mapper: carries the mapping out.
        pages: as the API sends them.
        console: that they come from.

    Raises:
        NotAPage: one of them is no page.
    """
    counts, filled, misfits = Counter[str](), Counter[str](), Counter[str]()
    fields: Counter[Place] = Counter()
    taken, versions = _Taken(mapper.mapping), Versions()
    for body in pages:
        page = mapper.open(body, console)
        for members in versions.look(mapper, page):
            filled.update(members)
        counts.update(records=len(page.records), dropped=page.dropped, dead=len(page.dead))
        misfits += page.misfits
        for record in _readable(mapper.raws(page)):
            for place, has_value in _fields(record).items():
                fields[place] += has_value
            taken.look(record)
    counted = filled, misfits, versions.changed
    return Explanation(
        mapper.mapping.table,
        rows=versions.rows,
        **{key: counts[key] for key in ("records", "dropped", "dead")},
        columns=tuple(
            ColumnUse(one.name, one.type, one.sources, *(count[one.name] for count in counted))
            for one in mapper.mapping.columns
        ),
        unmapped=tuple(
            Field(_json_path(place), number)
            for place, number in sorted(fields.items())
            if place not in taken
        ),
        savings=versions.savings() if mapper.mapping.ordering.volatile else None,
    )


class _Taken:
    """The places that columns take values from. What lies below a taken place is taken too."""

    def __init__(self, mapping: Mapping) -> None:
        paths = {path for column in mapping.columns for path in column.paths}
        self._places: set[Place] = {path.members for path in paths if path.plain}
        self._searches = [path for path in paths if not path.plain]

    def look(self, record: dict[str, Any]) -> None:
        """Find out where in this record the paths lead that are more than member names."""
        for path in self._searches:
            self._places.update(_matches(path, record))

    def __contains__(self, place: Place) -> bool:
        return any(place[:length] in self._places for length in range(len(place) + 1))


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


def _fields(record: dict[str, Any]) -> dict[Place, bool]:
    """Every place of a record that holds a scalar or nothing, and whether it is ever not null."""
    fields: dict[Place, bool] = {}
    parts: list[tuple[Place, Any]] = [((), record)]
    while parts:
        place, value = parts.pop()
        if isinstance(value, dict) and value:
            parts += [((*place, name), child) for name, child in value.items()]
        elif isinstance(value, list) and value:
            parts += [((*place, _ITEM), child) for child in value]
        else:
            fields[place] = fields.get(place, False) or value is not None
    return fields


def _json_path(place: Place) -> str:
    steps = (
        step if step == _ITEM else f".{step}" if _PLAIN.fullmatch(step) else f"[{step!r}]"
        for step in place
    )
    return "$" + "".join(steps)


def _text(explanation: Explanation) -> Iterator[str]:
    yield (
        f"{explanation.table}: {explanation.records} records, {explanation.rows} rows, "
        f"{explanation.dropped} dropped, {explanation.dead} dead letters"
    )
    yield ""
    compared = any(column.changed for column in explanation.columns)
    yield from _table(
        ("column", "type", "filled", "did not fit", *(["changed"] * compared), "from"),
        [
            (
                column.name,
                column.type,
                f"{column.filled} of {explanation.rows}" if column.filled else "never",
                str(column.misfits or ""),
                *([str(column.changed or "")] * compared),
                ", ".join(column.sources),
            )
            for column in explanation.columns
        ],
    )
    if saved := explanation.savings:
        yield ""
        yield (
            f'heartbeat = "24h" saves {saved.saved_rows} of {saved.rows} rows, '
            f"{saved.saved_bytes} of {saved.bytes} bytes ({saved.saved_bytes / saved.bytes:.1%})"
        )
    yield ""
    if not explanation.unmapped:
        yield "Every field of the API is taken by a column."
        return
    yield from _table(
        ("field that no column takes", "records"),
        [
            (field.path, str(field.records) if field.records else "always null")
            for field in explanation.unmapped
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    ruled = ["-" * max(map(len, cells)) for cells in zip(head, *rows, strict=True)]
    return aligned([head, ruled, *rows])
