"""Dead letters as the program writes and leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sentinelone_source.handover.dead_letters import DeadLetter, DeadLetters, record_json


def write(folder: Path, table: str, *records: bytes) -> None:
    """Write one dead letter for each record, for a reason that does not hold any more."""
    letter = DeadLetter(console="acme", table=table, reason="a column that is now another")
    DeadLetters(folder).write(replace(letter, record=record_json(raw)) for raw in records)


def read(folder: Path, name: str = "dead-letters.ndjson") -> list[dict[str, Any]]:
    """The letters of a file, whole lines all of them."""
    text = (folder / name).read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]
