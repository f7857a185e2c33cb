"""A mapping file to spoil, and what is said of it then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.spec.files import load_mappings

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
table = "Things_CL"

[request]
path = "things"

[walk]
id = "$.id"
position = "$.at"
filter = "at__gte"
sort_by = "at"

[columns]
TimeGenerated = { path = "$.at", type = "datetime" }
Name = "$.name"
"""


def write(folder: Path, text: str | bytes, name: str = "things.toml") -> Path:
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(data)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_mappings(folder)
    return str(caught.value)
