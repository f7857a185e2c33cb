"""The mapping, carried out step by step on one decoded record.

Slow, and the measure of all things: the compiled mapper must give the same row or step aside. It
takes the records over that the typed decoders refuse, with values of other types than expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sentinelone_source.errors import Skippable
from sentinelone_source.mapping.numbers import UNREADABLE, decode, mend_surrogates
from sentinelone_source.mapping.paths import Path, PathFailed
from sentinelone_source.mapping.rows.convert import (
    DoesNotFit,
    fingerprint,
    to_micros,
    to_string,
    with_aliases,
)
from sentinelone_source.mapping.spec.model import Column, ConsoleId, Mapping


class Interpreted(NamedTuple):
    """What became of a record; one that a `[[drop]]` takes out has no key and no values."""

    key: str
    position: int
    values: list[Any] | None


DROPPED = Interpreted("", 0, None)


def interpret(mapping: Mapping, raw: Any, console: ConsoleId, misfits: Counter[str]) -> Interpreted:
    """The columns of one record; `misfits` counts, by column, the values that did not fit.

    Raises:
        Skippable: the record is no JSON object, nested too deep, or has no id or position.
    """
    try:
        record = decode_record(raw)
        drops, walk = mapping.drops, mapping.ordering
        if any(all(one.holds(record, one.path.find) for one in drop) for drop in drops):
            return DROPPED
        id_ = _identity(record, walk.id)
        if not id_:
            raise Skippable(f"no id at {walk.id.text}")
        position = _position(record, walk.position)
        version = _identity(record, walk.version) if walk.version else None
        values = list(_values(mapping, record, console, misfits))
        return Interpreted(f"{id_}@{version}" if version else id_, position, values)
    except RecursionError:
        raise Skippable("nested too deep") from None


def identity(mapping: Mapping, raw: Any) -> str:
    """The id of a record that need not make a row; empty if it has none."""
    try:
        return _identity(decode_record(raw), mapping.ordering.id) or ""
    except (Skippable, RecursionError):
        return ""


def _position(record: dict[str, Any], path: Path) -> int:
    try:
        return to_micros(next(iter(path.find(record)), None))
    except (DoesNotFit, PathFailed):
        raise Skippable(f"no position at {path.text}") from None


def _values(
    mapping: Mapping, record: Any, console: ConsoleId, misfits: Counter[str]
) -> Iterator[Any]:
    for column in mapping.columns:
        if column.console:
            yield getattr(console, column.console)
            continue
        try:
            yield column_value(column, (path.find(record) for path in column.paths))
        except (DoesNotFit, PathFailed):
            misfits[column.name] += 1
            yield None


def decode_record(raw: Any) -> dict[str, Any]:
    """Decode one record, every digit kept.

    Raises:
        Skippable: it is not JSON, or not an object.
        RecursionError: it is nested too deep to be read at all.
    """
    try:
        try:
            record = decode(raw)
        except UNREADABLE:
            record = decode(mend_surrogates(bytes(raw)))
    except UNREADABLE as error:
        raise Skippable(f"not JSON: {error}") from None
    if not isinstance(record, dict):
        raise Skippable("not an object")
    return record


def column_value(column: Column, found: Iterable[list[Any]]) -> Any:
    """A column's value of the matches of each path. Raises DoesNotFit, and what finding does."""
    value = _chosen(column, found)
    if value is None:
        return None
    if column.aliases:
        value = with_aliases(value, column.aliases)
    value = column.kind.convert(value)
    return fingerprint(value) if column.redact else value


def _chosen(column: Column, found: Iterable[list[Any]]) -> Any:
    for path, matches in zip(column.paths, found, strict=True):
        value: Any = matches[0] if matches else None
        if path.many and column.kind.takes_all:
            value = [match for match in matches if match is not None] or None
        if len(column.paths) == 1 or (value is not None and value != ""):
            return value
    return None


def _identity(record: Any, path: Path) -> str | None:
    try:
        value = next(iter(path.find(record)), None)
    except PathFailed:
        return None
    return None if value is None else to_string(value)
