"""Column types: everything that the program knows of each.

A type that says no more than name, conversion and Azure's words for it works everywhere. `reads`
and `fast` make it fast: they let the generated code take values from typed decoders. A fast
function either gives exactly what the interpreter would, or raises `NeedsInterpreter`, and then
the interpreter is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from sentinelone_source.mapping.numbers import decode, mend_surrogates
from sentinelone_source.mapping.rows.convert import (
    MAX_DEPTH,
    deeper_than,
    to_boolean,
    to_datetime,
    to_dynamic,
    to_int,
    to_json,
    to_long,
    to_real,
    to_string,
)

ABSENT = msgspec.Raw(b"null")
"""What a raw field holds where the record has no such member. Read as JSON it is null; only
jsonpath-ng tells the two apart."""

# An escape of a character by its number; `C:\\users` holds the first two characters of one.
_NUMBERED = re.compile(r"\\u[0-9a-fA-F]{4}").search
_iso = datetime.fromisoformat
_SURROGATE = re.compile(rb"\\u[dD]").search
_ESCAPED = len("\\u0000")


class NeedsInterpreter(Exception):
    """Only the interpreter knows what to make of this value."""


def scalar(value: Any) -> str | None:
    """A number or boolean as text, for a string column."""
    if value is None or value.__class__ is str:
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value.__class__ is int:
        return str(value)
    raise NeedsInterpreter


def first(*values: Any) -> Any:
    """The first value that is neither null nor an empty string."""
    for value in values:
        if value is not None and value != "":
            return value
    return None


def check_datetimes(*values: str | None) -> None:
    """See to it that texts are ISO 8601 in its usual form; what is not is for the interpreter."""
    for value in values:
        if value is not None and (not _iso(value) or value[10] != "T"):
            raise NeedsInterpreter


def json_text(raw: msgspec.Raw) -> str | None:
    """JSON as it came, as the text of a string column."""
    text = str(raw, "utf-8")
    if text == "null":
        return None
    if "\\" in text and _NUMBERED(text):
        return to_json(decode(mend_surrogates(text.encode())))
    return text


def dynamic(raw: msgspec.Raw) -> msgspec.Raw | None:
    """JSON as it came, for a dynamic column; raises NeedsInterpreter where it has to be changed."""
    data = bytes(raw)
    if not data.isascii():
        data.decode()
    if _has_surrogate(data):
        raise NeedsInterpreter
    if _brackets(data) > MAX_DEPTH and deeper_than(decode(data), MAX_DEPTH):
        raise NeedsInterpreter
    return raw if data != b"null" else None


def dynamics(*raws: msgspec.Raw) -> Sequence[msgspec.Raw | None]:
    """`dynamic` of several values: what holds of all together need not be asked of each."""
    data = b"".join(raws)
    if not data.isascii():
        data.decode()
    if _has_surrogate(data) or _brackets(data) > MAX_DEPTH:
        return [dynamic(raw) for raw in raws]
    return [None if raw == ABSENT else raw for raw in raws]


def _has_surrogate(data: bytes) -> bool:
    """Whether there is an escape of a surrogate; looks from the first backslash to the last."""
    first = data.find(b"\\")
    return first >= 0 and _SURROGATE(data, first, data.rfind(b"\\") + _ESCAPED) is not None


def _brackets(data: bytes) -> int:
    """How many brackets open: no fewer than levels. What `replace` leaves is the fastest count."""
    return 2 * len(data) - len(data.replace(b"{", b"")) - len(data.replace(b"[", b""))


class Reads(Enum):
    """As what the decoder reads a value, and what reads it from raw JSON in generated code."""

    TEXT = "as_text", str | int | float | bool | None
    NUMBER = "as_number", int | float | None
    BOOLEAN = "as_boolean", bool | None
    JSON = "as_json", msgspec.Raw
    """As it came: copied through, or decoded by those few who need it."""

    def __init__(self, from_json: str, takes: Any) -> None:
        self.from_json = from_json
        self.takes = takes


class ColumnType(msgspec.Struct, frozen=True):
    """One column type.

    Attributes:
        name: in mapping files.
        convert: from a decoded value, never null, to the row's; raises DoesNotFit.
        in_table, in_stream: what Azure calls it in a table, and in a stream of a rule.
        takes_all: of a path with many matches it takes the list, not the first match.
        reads: as what the decoder reads it.
        fast: from what the decoder read to the row's value, where that is another. Like `convert`,
            or it raises NeedsInterpreter.
        fast_all: the same for several columns at once.
        check: for a text: takes those of all columns of the type, and raises NeedsInterpreter where
            `convert` could refuse one.
    """

    name: str
    convert: Callable[[Any], Any]
    in_table: str = "string"
    in_stream: str = "string"
    takes_all: bool = False
    reads: Reads = Reads.JSON
    fast: Callable[[Any], Any] | None = None
    fast_all: Callable[..., Sequence[Any]] | None = None
    check: Callable[..., None] | None = None

    @property
    def is_text(self) -> bool:
        """Its values are text of any kind: they can be replaced by a fingerprint."""
        return self.in_table == "string"


# Azure keeps a guid as text, and a stream has no such type. The transformation `source` of the
# rule passes columns on, so table and stream must have the same type.
TYPES = {
    kind.name: kind
    for kind in (
        ColumnType("string", to_string, reads=Reads.TEXT),
        ColumnType("guid", to_string, reads=Reads.TEXT),
        ColumnType("int", to_int, "int", "int", reads=Reads.NUMBER, fast=to_int),
        ColumnType("long", to_long, "long", "long", reads=Reads.NUMBER, fast=to_long),
        ColumnType("real", to_real, "real", "real", reads=Reads.NUMBER),
        ColumnType("boolean", to_boolean, "boolean", "boolean", reads=Reads.BOOLEAN),
        ColumnType(
            "datetime", to_datetime, "dateTime", "datetime", reads=Reads.TEXT, check=check_datetimes
        ),
        ColumnType(
            "dynamic", to_dynamic, "dynamic", "dynamic", True, fast=dynamic, fast_all=dynamics
        ),
        ColumnType("json", to_json, takes_all=True, fast=json_text),
    )
}
