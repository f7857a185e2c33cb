"""What a token says about itself, if it is a JSON Web Token. Nothing is verified: it is ours."""

from __future__ import annotations

import base64
from typing import TypeVar

import msgspec

T = TypeVar("T")


def read_claims(token: str, kind: type[T]) -> T | None:
    """The claims of a token; None if it is no JWT, or its claims are not of this kind."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(claims, type=kind)
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None
