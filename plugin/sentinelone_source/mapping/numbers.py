"""JSON in and out without losing a digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec


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
encode_lines = _encoder.encode_lines
