"""JSON in and out: no digit is lost, and no broken character comes through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

# One escape of a JSON string: a surrogate pair, a surrogate without its partner, or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?')
_SPACE = re.compile(rb"\s")
_SNIFFED = 512


class Number(float):
    """A number with a fraction or an exponent: a float to reckon with, written out as it came."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> Number:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str

    @property
    def exact(self) -> Decimal:
        """The number with every digit."""
        return Decimal(self.text)


def _hook(value: Any) -> msgspec.Raw:
    if isinstance(value, Number):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"no JSON for {type(value).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_hook)

decode = msgspec.json.Decoder(float_hook=Number).decode
"""Any JSON; raises what `UNREADABLE` names, and RecursionError at JSON nested too deep."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)
"""What a decoder raises at bytes that are no JSON of the expected type; RecursionError is apart."""

encode = _encoder.encode
encode_into = _encoder.encode_into
encode_lines = _encoder.encode_lines


def children(value: Any) -> Iterable[Any]:
    """What an object or a list holds; other values hold nothing."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def nested(item: Any, names: Sequence[str]) -> Any:
    """The type of what has an item below member names: each is a field `value`, or None."""
    for name in reversed(names):
        field = [("value", item, None)]
        item = msgspec.defstruct("item", field, rename={"value": name}, gc=False) | None
    return item


def mend_surrogates(document: bytes) -> bytes:
    """Replace every surrogate escape that has no partner by U+FFFD, and bytes that are no UTF-8."""
    mended = _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], document)
    return mended if mended.isascii() else mended.decode("utf-8", "replace").encode()


def compact(body: bytes) -> bytes:
    """Take white space out of a page that has any; its head tells how it was written.

    A line feed anywhere counts: copied into a row, it would tear the line in two.
    """
    if b"\n" not in body and not _SPACE.search(_STRING.sub(b"", body[:_SNIFFED])):
        return body
    try:
        return msgspec.json.format(body, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return body
