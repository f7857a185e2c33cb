"""What a mapping must give, written a second time: plain jsonpath-ng, plain json, no shortcuts.

Nothing of the package is used for the types that are known here, so that the two can disagree.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from jsonpath_ng.ext.parser import parse as parse_once

from sentinelone_source.mapping.rows.convert import DoesNotFit
from sentinelone_source.mapping.rows.types import TYPES as PRODUCT_TYPES

SURROGATE = re.compile("[\ud800-\udfff]")
LARGEST = Decimal("1.797693134862315807e308")  # rounds to the largest double
CONSOLE = {"name": "acme", "url": "https://acme.example"}
MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:([Zz])|([+-])(\d\d):?(\d\d))?)?",
    re.ASCII,
)


class TypeMismatch(Exception):
    """The column's type does not take the value."""


@dataclass
class PageOutcome:
    """What a page must become."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    misfits: Counter[str] = field(default_factory=Counter)
    dead: int = 0


def expected(mapping: dict[str, Any], body: bytes) -> PageOutcome:
    """Carry out a mapping document on a page; records without id or position are only counted."""
    outcome = PageOutcome()
    for record in mend(json.loads(body))["data"]:
        walk = mapping["walk"]
        id_, position = identity(record, walk["id"]), place(record, walk["position"])
        if not isinstance(record, dict) or not id_ or position is None:
            outcome.dead += 1
            continue
        version = identity(record, walk["version"]) if "version" in walk else None
        outcome.keys.append(f"{id_}@{version}" if version else id_)
        outcome.positions.append(position)
        row = {"_table": mapping["table"]}
        for name, column in mapping["columns"].items():
            try:
                value = fill(column, record)
            except TypeMismatch:
                outcome.misfits[name] += 1
                continue
            if value is not None:
                row[name] = value
        outcome.rows.append(row)
    return outcome


def mend(value: Any) -> Any:
    """Lone surrogates as U+FFFD, in names too."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [mend(item) for item in value]
    if isinstance(value, dict):
        return {mend(name): mend(item) for name, item in value.items()}
    return value


parse = cache(parse_once)


def find(record: Any, path: str) -> list[Any]:
    """All matches; DoesNotFit where jsonpath-ng gives up on the document."""
    try:
        return [match.value for match in parse(path).find(record)]
    except Exception as error:
        raise TypeMismatch from error


def identity(record: Any, path: str) -> str | None:
    found = find(record, path)
    return None if not found or found[0] is None else as_text(found[0])


def place(record: Any, path: str) -> int | None:
    found = find(record, path)
    try:
        return (moment(found[0]) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    except (IndexError, TypeMismatch):
        return None


def fill(column: dict[str, Any], record: Any) -> Any:
    """A column's value; None leaves it out."""
    if "console" in column:
        return CONSOLE[column["console"]]
    for path, many in column["path"]:
        found = find(record, path)
        if many and column["type"] in ("json", "dynamic"):
            value: Any = [item for item in found if item is not None] or None
        else:
            value = found[0] if found else None
        if len(column["path"]) == 1 or value not in (None, ""):
            break
    else:
        return None
    if value is None:
        return None
    if isinstance(value, dict) and column.get("aliases"):
        value = aliased(value, column["aliases"])
    value = TYPES.get(column["type"], added_type(column["type"]))(value)
    if column.get("redact") and value:
        return "sha256:" + hashlib.sha256(value.encode()).hexdigest()[:16]
    return value


def aliased(value: dict[str, Any], aliases: dict[str, str]) -> dict[str, Any]:
    """A copy of an object in which empty members named as aliases have what they stand for."""
    copy = dict(value)
    for name, member in aliases.items():
        if name not in value or value[name] is None or value[name] == "":
            wanted = value.get(member)
            if wanted is not None and wanted != "":
                copy[name] = wanted
    return copy


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return as_json(value)


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def number(value: Any) -> Decimal:
    if isinstance(value, str):
        try:
            parsed = json.loads(value, parse_constant=str, parse_float=Decimal)
        except ValueError:
            raise TypeMismatch from None
        if value.strip() != value or isinstance(parsed, str):
            raise TypeMismatch
        value = parsed
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeMismatch
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def real(value: Any) -> Decimal:
    exact = number(value)
    if "e" in str(value).lower() and abs(exact) > LARGEST:
        raise TypeMismatch
    return exact


def whole(bits: int) -> Any:
    def convert(value: Any) -> int:
        exact = number(value)
        if exact != exact.to_integral_value() or not -(2**bits) <= exact < 2**bits:
            raise TypeMismatch
        return int(exact)

    return convert


def boolean(value: Any) -> bool:
    words = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in words:
        raise TypeMismatch
    return words[value.lower()]


def moment(value: Any) -> datetime:
    """ISO 8601 text; digits beyond the microsecond do not count."""
    found = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise TypeMismatch
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = found.groups()
    date = [int(part) for part in (year, month, day)]
    clock = [int(part or 0) for part in (hour, minute, second)]
    micros = int((fraction or "0").ljust(6, "0")[:6])
    try:
        local = datetime(*date, *clock, micros, tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        raise TypeMismatch from None
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return local + offset if sign == "-" else local - offset


def datetime_text(value: Any) -> str:
    moment(value)
    return str(value)


def added_type(name: str) -> Any:
    """A type that this page does not know: the mapper must agree with its own conversion."""

    def convert(value: Any) -> Any:
        try:
            return PRODUCT_TYPES[name].convert(value)
        except DoesNotFit:
            raise TypeMismatch from None

    return convert


TYPES: dict[str, Any] = {
    "string": as_text,
    "guid": as_text,
    "int": whole(31),
    "long": whole(63),
    "real": real,
    "boolean": boolean,
    "datetime": datetime_text,
    "dynamic": lambda value: value,
    "json": as_json,
}
