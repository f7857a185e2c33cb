"""Rows as lines: NDJSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sentinelone_source.mapping.numbers import encode_lines
from sentinelone_source.mapping.rows.limits import MAX_COLUMN, MAX_LINE, cut_columns

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from sentinelone_source.mapping.spec.model import TableSpec


class Piece(NamedTuple):
    """Some whole lines."""

    data: bytes
    rows: int


def row_type(mapping: TableSpec) -> type[msgspec.Struct]:
    """The struct of a table's rows: its columns in order, what is None left out, and `_table`."""
    fields = [(f"c{number}", Any, None) for number, _ in enumerate(mapping.columns)]
    renames = {f"c{number}": column.name for number, column in enumerate(mapping.columns)}
    return msgspec.defstruct(
        mapping.table,
        fields,
        rename=renames,
        tag_field="_table",
        tag=mapping.table,
        omit_defaults=True,
        gc=False,
    )


def encode(
    rows: list[msgspec.Struct], at_once: int, cut: Counter[str], too_long: list[int]
) -> Iterator[Piece]:
    """Encode rows as lines.

    Args:
        rows: of one table; too long columns of them are cut in place.
        at_once: how many to encode together.
        cut: counts the cuts by column.
        too_long: gets the places of rows that make no line even then.
    """
    at_once = max(1, at_once)
    for first in range(0, len(rows), at_once):
        some = rows[first : first + at_once]
        data = encode_lines(some)
        if len(data) <= MAX_COLUMN:  # then no column of any row can be longer
            yield Piece(data, len(some))
            continue
        for place, row in enumerate(some, first):
            line = _line(row, cut)
            if len(line) > MAX_LINE:
                too_long.append(place)
            else:
                yield Piece(line, 1)


def _line(row: msgspec.Struct, cut: Counter[str]) -> bytes:
    line = encode_lines([row])
    if len(line) > MAX_COLUMN:
        cut_columns(row, cut)
        line = encode_lines([row])
    return line
