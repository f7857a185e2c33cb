"""Column types: everything that the program knows of each.

A type that says no more than name, conversion and Azure's words for it works everywhere. `reads`
and `fast` make it fast: they let the generated code take values from typed decoders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import msgspec

from sentinelone_source.mapping.rows.convert import (
    to_boolean,
    to_datetime,
    to_dynamic,
    to_int,
    to_json,
    to_long,
    to_real,
    to_string,
)
from sentinelone_source.mapping.rows.fast_values import (
    check_datetimes,
    dynamic,
    dynamics,
    json_text,
)


class Reads(Enum):
    """As what the decoder reads a value."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "JSON"
    """As it came: copied through, or decoded by those few who need it."""

    @property
    def takes(self) -> Any:
        """The type that the decoder takes."""
        return _TAKES[self]


_TAKES: dict[Reads, Any] = {
    Reads.TEXT: str | int | float | bool | None,
    Reads.NUMBER: int | float | None,
    Reads.BOOLEAN: bool | None,
    Reads.JSON: msgspec.Raw,
}


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

    @property
    def is_inline(self) -> bool:
        """The generated code makes its values itself."""
        return self.reads is not Reads.JSON or self.fast is not None


# Azure keeps a guid as text, and a stream has no such type; `source` hands columns on, so both
# sides must say the same.
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
            "datetime",
            to_datetime,
            "dateTime",
            "datetime",
            reads=Reads.TEXT,
            check=check_datetimes,
        ),
        ColumnType(
            "dynamic",
            to_dynamic,
            "dynamic",
            "dynamic",
            takes_all=True,
            fast=dynamic,
            fast_all=dynamics,
        ),
        ColumnType("json", to_json, takes_all=True, fast=json_text),
    )
}
