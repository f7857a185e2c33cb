"""What the names in the generated code stand for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from sentinelone_source.mapping.interpreter import column_value
from sentinelone_source.mapping.numbers import decode, nested
from sentinelone_source.mapping.paths import Path, PathFailed
from sentinelone_source.mapping.rows.convert import DoesNotFit, fingerprint
from sentinelone_source.mapping.rows.types import (
    ABSENT,
    NeedsInterpreter,
    Reads,
    first,
    json_text,
    scalar,
)
from sentinelone_source.mapping.spec.conditions import Condition
from sentinelone_source.mapping.spec.model import Column
from sentinelone_source.times import EPOCH, MICROSECOND

RUNTIME: dict[str, Any] = {
    **{reads.from_json: msgspec.json.Decoder(reads.takes).decode for reads in Reads},
    "EPOCH": EPOCH,
    "MICROSECOND": MICROSECOND,
    "NeedsInterpreter": NeedsInterpreter,
    "fingerprint": fingerprint,
    "first": first,
    "iso": datetime.fromisoformat,
    "scalar": scalar,
}

NEEDS_INTERPRETER = (
    NeedsInterpreter,
    DoesNotFit,
    PathFailed,
    ValueError,
    TypeError,
    IndexError,
    RecursionError,
)
"""Whatever of this the generated code raises, the interpreter takes the record over."""


def drop_function(condition: Condition) -> Callable[[Any], bool]:
    """A condition as a function of the raw JSON that its path's members lead to."""
    find = partial(_find, condition.path)
    return lambda raw: condition.holds(raw, find)


def first_match_function(path: Path) -> Callable[[Any], Any]:
    """A path's first match as such a function, or None."""
    return lambda raw: next(iter(_find(path, raw)), None)


def column_function(column: Column) -> Callable[..., Any]:
    """The value of a column that is not read from typed fields, as such a function of each path."""
    each = column.paths[0].each
    gathers = column.kind.fast is json_text and not column.redact and len(column.paths) == 1
    if gathers and each is not None:
        return _gather(each)
    return lambda *raws: column_value(column, map(_find, column.paths, raws))


def _find(path: Path, raw: msgspec.Raw) -> list[Any]:
    return [] if raw is ABSENT else path.find_below(decode(raw))


def _gather(names: tuple[str, ...]) -> Callable[[msgspec.Raw], str | None]:
    """A function from a raw list to the JSON list of one member of its items, nulls left out."""
    item = nested(msgspec.Raw, names)
    decode_items = msgspec.json.Decoder(list[item] | None).decode  # type: ignore[valid-type]

    def gathered(raw: msgspec.Raw) -> str | None:
        texts: list[str] = []
        for item in decode_items(raw) or ():
            value = item
            for _ in names:
                value = value and value.value
            text = value and json_text(value)
            if text is not None:
                texts.append(text)
        return f"[{','.join(texts)}]" if texts else None

    return gathered
