"""Rows as lines: NDJSON in batches that every way to the shipper takes whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from sentinelone_source.errors import Skippable
from sentinelone_source.mapping.limits import MAX_COLUMN, MAX_LINE, cut_columns
from sentinelone_source.mapping.model import Mapping

_encode_into = msgspec.json.Encoder(decimal_format="number").encode_into


@dataclass(frozen=True)
class Batch:
    """Whole lines of one table, at most 900,000 bytes together."""

    data: bytearray
    rows: int


def row_type(mapping: Mapping) -> type[msgspec.Struct]:
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


def batches(
    rows: Iterable[msgspec.Struct], cut: Counter[str], too_long: list[int]
) -> Iterator[Batch]:
    """Encode rows, as batches of whole lines.

    Args:
        rows: of one table.
        cut: counts, by column, the values that had to be cut.
        too_long: gets the places of the rows that make no line even then.
    """
    buffer, count = bytearray(), 0
    for place, row in enumerate(rows):
        start = len(buffer)
        try:
            _append_line(row, buffer, cut)
        except Skippable:
            del buffer[start:]
            too_long.append(place)
            continue
        if len(buffer) > MAX_LINE:
            line = buffer[start:]
            del buffer[start:]
            yield Batch(buffer, count)
            buffer, count = line, 0
        count += 1
    if count:
        yield Batch(buffer, count)


def _append_line(row: msgspec.Struct, buffer: bytearray, cut: Counter[str]) -> None:
    start = len(buffer)
    _encode_into(row, buffer, -1)
    buffer.append(10)
    if len(buffer) - start <= MAX_COLUMN:
        return
    cut_columns(row, cut)
    del buffer[start:]
    _encode_into(row, buffer, -1)
    buffer.append(10)
    if len(buffer) - start > MAX_LINE:
        raise Skippable(f"the row is longer than {MAX_LINE} bytes")
