"""Azure's limits on a column, kept before Azure keeps them silently."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from sentinelone_source.mapping.columns import to_json
from sentinelone_source.mapping.values import decode_exactly

MAX_LINE = 900_000
"""Bytes of a line with its line end."""

MAX_COLUMN = 65_536
"""Bytes of a column's value; Azure Monitor cuts longer ones without a word."""


def cut_columns(row: msgspec.Struct, cut: Counter[str]) -> None:
    """Cut every column of a row that is too long, and count it under its name."""
    for field in msgspec.structs.fields(row):
        value = getattr(row, field.name)
        shorter = _cut(value)
        if shorter is not value:
            setattr(row, field.name, shorter)
            cut[field.encode_name] += 1


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        data = value.encode()
        if len(data) <= MAX_COLUMN:
            return value
        if value[0] in "{[":
            try:
                return to_json(shrink(decode_exactly(data), MAX_COLUMN))
            except msgspec.DecodeError:
                pass
        return data[:MAX_COLUMN].decode(errors="ignore")
    if isinstance(value, msgspec.Raw | dict | list):
        decoded = decode_exactly(value) if isinstance(value, msgspec.Raw) else value
        return value if _size(decoded) <= MAX_COLUMN else shrink(decoded, MAX_COLUMN)
    return value


def shrink(value: Any, limit: int) -> Any:
    """A JSON value of at most `limit` bytes, made by cutting what is longest.

    Texts, lists and objects are held to one common length, halved until the whole fits: short
    values survive, whatever their place.
    """
    length = limit
    while _size(value) > limit:
        length //= 2
        value = _clip(value, length)
    return value


def _clip(value: Any, length: int) -> Any:
    if isinstance(value, str):
        return value[:length]
    if isinstance(value, list):
        return [_clip(item, length) for item in value[:length]]
    if isinstance(value, dict):
        return {key: _clip(item, length) for key, item in list(value.items())[:length]}
    return value


def _size(value: Any) -> int:
    return len(to_json(value).encode())
