"""What the generated code calls: from a typed field to a column's value, without a detour.

Each function either gives exactly what the interpreter would, or raises `Unusual`, and then the
interpreter is asked.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sentinelone_source.mapping.columns import MAX_DEPTH, Misfit, deeper_than, to_json
from sentinelone_source.mapping.decoder import item_decoder
from sentinelone_source.mapping.exact import decode
from sentinelone_source.mapping.paths import Unevaluable

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# One escape of a JSON string: a surrogate pair, a surrogate without its partner, or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)

# An escape of a character by its number; `C:\\users` holds the first two characters of one.
_NUMBERED = re.compile(r"\\u[0-9a-fA-F]{4}").search
_SURROGATE = re.compile(rb"\\u[dD]").search


class Unusual(Exception):
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
    raise Unusual


def first(*values: Any) -> Any:
    """The first value that is neither null nor an empty string."""
    for value in values:
        if value is not None and value != "":
            return value
    return None


def json_text(raw: msgspec.Raw | None) -> str | None:
    """JSON as it came, as the text of a string column."""
    if raw is None:
        return None
    text = str(raw, "utf-8")
    if text == "null":
        return None
    if "\\" in text and _NUMBERED(text):
        return to_json(decode(mend_surrogates(text.encode())))
    return text


def dynamic(raw: msgspec.Raw | None) -> msgspec.Raw | None:
    """JSON as it came, for a dynamic column; raises Unusual where it has to be changed."""
    if raw is None:
        return None
    data = bytes(raw)
    if data == b"null":
        return None
    if not data.isascii():
        data.decode()
    if b"\\" in data and _SURROGATE(data):
        raise Unusual
    # Every level opens a bracket; what `replace` leaves is the fastest way to count them.
    brackets = 2 * len(data) - len(data.replace(b"{", b"")) - len(data.replace(b"[", b""))
    if brackets > MAX_DEPTH and deeper_than(decode(data), MAX_DEPTH):
        raise Unusual
    return raw


def gather(names: tuple[str, ...]) -> Callable[[msgspec.Raw | None], str | None]:
    """A function from a raw list to the JSON list of one member of its items, nulls left out."""
    decode_items = item_decoder(names)

    def gathered(raw: msgspec.Raw | None) -> str | None:
        items = decode_items(raw) if raw is not None else None
        texts: list[str] = []
        for item in items or ():
            value = item
            for _ in names:
                value = value and value.value
            text = json_text(value)
            if text is not None:
                texts.append(text)
        return f"[{','.join(texts)}]" if texts else None

    return gathered


def mend_surrogates(document: bytes) -> bytes:
    """Replace every surrogate escape that has no partner by U+FFFD, and bytes that are no UTF-8."""
    mended = _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], document)
    return mended if mended.isascii() else mended.decode("utf-8", "replace").encode()


UNUSUAL = (Unusual, Misfit, Unevaluable, ValueError, TypeError, IndexError, RecursionError)
"""Whatever of this the generated code raises, the interpreter takes the record over."""
