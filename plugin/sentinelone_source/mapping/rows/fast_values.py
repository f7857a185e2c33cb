"""What the generated code calls: from a typed field to a column's value, without a detour.

Each function either gives exactly what the interpreter would, or raises `NeedsInterpreter`, and
then the interpreter is asked.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.mapping.numbers import decode, mend_surrogates
from sentinelone_source.mapping.rows.convert import MAX_DEPTH, deeper_than, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

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
