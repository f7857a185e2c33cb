"""Fluent Bit's program and its shipped configurations."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "fluent-bit"
"""The configurations as users get them."""


def binary() -> str | None:
    """`$FLUENT_BIT`, else `fluent-bit` on PATH; None if there is neither."""
    return os.environ.get("FLUENT_BIT") or shutil.which("fluent-bit")


def changed(name: str, folder: Path, changes: Mapping[str, str]) -> Path:
    """A copy of a shipped configuration in which each of these texts is another one.

    Raises:
        AssertionError: a text is not there.
    """
    text = (SHIPPED / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    copy = folder / name
    copy.write_text(text)
    return copy
