"""Rows as lines of NDJSON, within Azure's limits before Azure cuts silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from sentinelone_source.mapping.numbers import UNREADABLE, Number, decode, encode_lines
from sentinelone_source.mapping.rows.convert import MAX_DEPTH, to_json
from sentinelone_source.mapping.spec.model import TableSpec

MAX_LINE = 900_000
"""Bytes of a line with its line end."""

MAX_COLUMN = 65_536
"""Bytes of a column's value; Azure Monitor cuts longer ones without a word."""


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        data = value.encode()
        if len(data) <= MAX_COLUMN:
            return value
        shorter = _cut_json(data) if value[0] in '{["' else None
        return shorter or data[:MAX_COLUMN].decode(errors="ignore")
    if isinstance(value, msgspec.Raw | dict | list):
        data = to_json(value).encode()
        shorter = _cut_json(data) if len(data) > MAX_COLUMN else data.decode()
        return value if shorter == data.decode() else msgspec.Raw((shorter or "null").encode())
    return value


def _cut_json(data: bytes) -> str | None:
    """JSON as shorter JSON; None for what is no JSON after all."""
    try:
        return to_json(shrink(decode(data), MAX_COLUMN))
    except (*UNREADABLE, RecursionError):
        return None


def shrink(value: Any, limit: int) -> Any:
    """A JSON value of at most `limit` bytes, made by cutting what is longest.

    Texts, lists and objects are held to one common length, halved until the whole fits: short
    values survive, whatever their place. What is nested too deep for Azure becomes text first.
    """
    length = limit
    while len(to_json(value).encode()) > limit:
        length //= 2
        value = _clip(value, length, MAX_DEPTH)
    return value


def _clip(value: Any, length: int, levels: int) -> Any:
    if isinstance(value, str):
        return value[:length]
    if isinstance(value, Number):
        return value if len(value.text) <= length else value.text[:length]
    if levels == 0 and isinstance(value, dict | list):
        return to_json(value)[:length]
    if isinstance(value, list):
        return [_clip(item, length, levels - 1) for item in value[:length]]
    if isinstance(value, dict):
        kept = list(value.items())[:length]
        return {key[:length]: _clip(item, length, levels - 1) for key, item in kept}
    return value


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
    """Encode rows of one table as lines, so many at once.

    Too long columns are cut in place, and counted by name in `cut`; `too_long` gets the places of
    rows that make no line even then.
    """
    at_once = max(1, at_once)
    for first in range(0, len(rows), at_once):
        some = rows[first : first + at_once]
        data = encode_lines(some)
        if len(data) <= MAX_COLUMN:  # no column can be longer than the page
            yield Piece(data, len(some))
            continue
        for place, row in enumerate(some, first):
            line = _line(row, cut)
            if len(line) > MAX_LINE:
                too_long.append(place)
            else:
                yield Piece(line, 1)


def line_sizes(data: bytes) -> list[int]:
    """The bytes of each of some lines, with its line end; this is faster than `splitlines`."""
    sizes, start = [], 0
    while end := data.find(b"\n", start) + 1:
        sizes.append(end - start)
        start = end
    return sizes


def _line(row: msgspec.Struct, cut: Counter[str]) -> bytes:
    """A row as a line, every column cut that is too long."""
    line = encode_lines([row])
    if len(line) <= MAX_COLUMN:
        return line
    for field in msgspec.structs.fields(row):
        value = getattr(row, field.name)
        shorter = _cut(value)
        if shorter is not value:
            setattr(row, field.name, shorter)
            cut[field.encode_name] += 1
    return encode_lines([row])
