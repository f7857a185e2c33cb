"""From decoded values to those of rows.

A value that a type does not take raises `DoesNotFit`; the row then has no such column, and the
misfit is counted. Values are what `numbers.decode` makes of JSON.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sentinelone_source import times
from sentinelone_source.mapping.numbers import Number, children, encode

MAX_DEPTH = 32

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{16}", re.ASCII)


class DoesNotFit(Exception):
    """A value that the column's type does not take."""


def to_string(value: Any) -> str:
    """Text as it is; scalars as text; objects and lists as compact JSON text."""
    if isinstance(value, str):
        return value
    return to_json(value)


def to_int(value: Any) -> int:
    """A whole number of 32 bits, or text that is one."""
    return _whole(value, 31)


def to_long(value: Any) -> int:
    """A whole number of 64 bits, or text that is one."""
    return _whole(value, 63)


def to_real(value: Any) -> float | int:
    """A number, or text that is one; a whole number stays whole, whatever its size."""
    number = _number(value)
    if isinstance(number, float) and not math.isfinite(number):
        raise DoesNotFit
    return number


def to_boolean(value: Any) -> bool:
    """`true` and `false`, and those words as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise DoesNotFit


def to_datetime(value: Any) -> str:
    """ISO 8601 text, passed on as it came."""
    parse_datetime(value)
    return str(value)


def to_dynamic(value: Any) -> Any:
    """Any JSON value; one nested deeper than 32 levels as JSON text."""
    return to_json(value) if deeper_than(value, MAX_DEPTH) else value


def to_json(value: Any) -> str:
    """Any JSON value, as compact JSON text."""
    return encode(value).decode()


def with_aliases(value: Any, aliases: Iterable[tuple[str, str]]) -> Any:
    """An object in which members can be found under further names too.

    Null and the empty string are no values: they are not copied, and do not stay under a name
    that something can be copied to.
    """
    if not isinstance(value, dict):
        return value
    nothing = (None, "")
    free = ((name, value.get(member)) for name, member in aliases if value.get(name) in nothing)
    return value | {name: found for name, found in free if found not in nothing}


def fingerprint(secret: str) -> str:
    """A stable stand-in for a secret: equal secrets stay equal, and none can be read back.

    A fingerprint stands for itself: a dead letter's record that is mapped again has some.
    """
    if not secret or _FINGERPRINT.fullmatch(secret):
        return secret
    return "sha256:" + hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:16]


def parse_datetime(value: Any) -> datetime:
    """ISO 8601 text as a time, without an offset in UTC; raises DoesNotFit for anything else."""
    if not isinstance(value, str) or value[10:11].upper() not in ("T", " ", ""):
        raise DoesNotFit
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise DoesNotFit from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def to_micros(value: Any) -> int:
    """ISO 8601 text as microseconds since 1970. Raises DoesNotFit as `parse_datetime` does."""
    return times.to_micros(parse_datetime(value))


def deeper_than(value: Any, levels: int) -> bool:
    """Whether objects and lists are nested in more than this many levels."""
    layer = [value]
    for _ in range(levels):
        layer = [child for parent in layer for child in children(parent)]
        if not layer:
            return False
    return any(isinstance(child, dict | list) for child in layer)


def _number(value: Any) -> int | Number:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = Number(value) if set(value) & set(".eE") else int(value)
    if isinstance(value, bool) or not isinstance(value, int | Number):
        raise DoesNotFit
    return value


def _whole(value: Any, bits: int) -> int:
    number = _number(value)
    if isinstance(number, Number):
        exact = number.exact
        # Check the exponent first: `1e999999999` is an integer that would fill the memory.
        if exact.adjusted() > 20 or exact != exact.to_integral_value():
            raise DoesNotFit
        number = int(exact)
    if not -(1 << bits) <= number < 1 << bits:
        raise DoesNotFit
    return number
