"""What Fluent Bit's `in_http` makes of a body: which records it stores, and what it answers.

Measured with 5.1.1; `tests/shippers/test_in_http.py` holds both against the same statements.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

DEEPEST: Final = 63
"""Levels of nesting that a record may have; it and what comes after it is lost beyond them."""
_SPACE: Final = re.compile(r"\s*")


def _refuse(word: str) -> float:
    raise ValueError(word)


_DECODER: Final = json.JSONDecoder(
    parse_int=lambda digits: number if (number := int(digits)) < 2**64 else float(number),
    parse_constant=_refuse,  # NaN
    strict=False,
)


@dataclass
class ParsedBody:
    """The records that get through, in order, and the status of the answer.

    Attributes:
        poisoned: what comes later under the same tag is lost too, behind a 201.
    """

    status: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    poisoned: bool = False


def read(body: bytes) -> ParsedBody:
    """Objects one after another, with or without line ends, or one array of objects."""
    try:
        values, whole = _values(body.decode("utf-8", "replace"))
    except ValueError:
        return ParsedBody(400)
    if not values and not whole:
        return ParsedBody(400)
    reading = ParsedBody(201)
    for value in values:
        if isinstance(value, list):  # nothing after an array is looked at
            _store(reading, value)
            break
        if not isinstance(value, dict):  # what came before it is stored nevertheless
            reading.status = 400
            break
        _store(reading, [value])
    return reading


def inflate(body: bytes, encoding: str) -> bytes | None:
    """A body as it was before gzip; None if it is damaged.

    Only the first gzip member counts, and the last must say that it has the same size.
    """
    if encoding.lower() != "gzip" or not body.startswith(b"\x1f\x8b"):
        return body
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body)
    except zlib.error:
        return None
    return plain if inflater.eof and len(plain) == int.from_bytes(body[-4:], "little") else None


def tag_of(target: str) -> str:
    """The tag of a request target: its path, with `_` for what a tag cannot hold."""
    path = target[1:].partition("?")[0]
    fit = (one if one.isascii() and (one.isalnum() or one in "_.") else "_" for one in path)
    return "".join(fit) or "http.0"


def _values(text: str) -> tuple[list[Any], bool]:
    """Every complete value, and whether the text ended with one.

    Raises:
        ValueError: something in it is no JSON; then nothing of it is stored.
    """
    values: list[Any] = []
    at = _SPACE.match(text, 0).end()  # type: ignore[union-attr]
    while at < len(text):
        try:
            value, at = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
                return values, False  # broken off: silently without the last one
            raise
        values.append(value)
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
    return values, bool(values)


def _store(reading: ParsedBody, records: list[Any]) -> None:
    for record in records:
        if not isinstance(record, dict) or _depth(record) > DEEPEST:
            reading.poisoned = True
        if not reading.poisoned:
            reading.rows.append(record)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [
            below for one in level for below in (one.values() if isinstance(one, dict) else one)
        ]
    return depth
