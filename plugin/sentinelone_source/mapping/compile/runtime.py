"""What the names in the generated code stand for."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.mapping.interpreter import find_in_raw, on_raw
from sentinelone_source.mapping.rows import fast_values as values
from sentinelone_source.mapping.rows.convert import fingerprint, to_int, to_long

if TYPE_CHECKING:
    from sentinelone_source.mapping.paths import Path
    from sentinelone_source.mapping.spec.conditions import Condition
    from sentinelone_source.mapping.spec.model import Column

TOOLS: dict[str, Any] = {
    "EPOCH": values.EPOCH,
    "MICROSECOND": values.MICROSECOND,
    "NeedsInterpreter": values.NeedsInterpreter,
    "as_boolean": msgspec.json.Decoder(bool | None).decode,
    "as_number": msgspec.json.Decoder(int | float | None).decode,
    "as_text": msgspec.json.Decoder(str | int | float | bool | None).decode,
    "dynamic": values.dynamic,
    "dynamics": values.dynamics,
    "fingerprint": fingerprint,
    "first": values.first,
    "iso": datetime.fromisoformat,
    "json_text": values.json_text,
    "scalar": values.scalar,
    "to_int": to_int,
    "to_long": to_long,
}
WALK = ("id", "version", "position")
_LOCALS = ("build", "record", "records", "raw", "raws", "row", "rows", "keys", "positions")
TAKEN = frozenset({*TOOLS, *WALK, *_LOCALS, "Row", *dir(builtins)})
"""Names that no part of a record and no column may take in the generated code."""


def holds(condition: Condition) -> Callable[[Any], bool]:
    """A condition as a function of the raw JSON that its path's members lead to."""
    find = partial(find_in_raw, condition.path)
    return lambda raw: condition.meets(find, raw)


def first_in_raw(path: Path) -> Callable[[Any], Any]:
    """A path's first match as such a function, or None."""
    return lambda raw: next(iter(find_in_raw(path, raw)), None)


def uncommon(column: Column) -> Callable[..., Any]:
    """The value of a column that is not read from typed fields, as such a function."""
    each = column.paths[0].each
    if each is not None and len(column.paths) == 1 and column.type == "json" and not column.redact:
        return values.gather(each)
    return on_raw(column)
