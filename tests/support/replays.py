"""Files to replay, and what became of them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doubles.world import World
from support.tenancy import NAMES, lines

if TYPE_CHECKING:
    from support.cloud import Cloud

THREATS = "SentinelOneThreats_CL"


def written(path: Path, number: int = 20) -> list[bytes]:
    """A file of rows of all tables, as `run` writes them."""
    world = World(seed=5)
    world.populate(over=timedelta(hours=1), **dict.fromkeys(NAMES, number))
    made = [line for name in NAMES for line in lines(name, world.all(name))]
    path.write_bytes(b"".join(line + b"\n" for line in made))
    return made


def plain(path: Path, number: int, size: int = 500) -> None:
    """A file of threats that can be told apart."""
    row = {
        "_table": THREATS,
        "TimeGenerated": datetime.now(UTC).isoformat(),
        "Username": "x" * size,
    }
    rows = (json.dumps({**row, "ThreatName": str(n)}) + "\n" for n in range(number))
    path.write_text("".join(rows))


def arrived(cloud: Cloud) -> Counter[str]:
    """How often each of those threats arrived."""
    return Counter(row["ThreatName"] for row in cloud.azure.rows[THREATS])


def replayed(running: Any) -> dict[str, Any]:
    """The account of the last file."""
    found: dict[str, Any] = running.events("replayed")[-1]
    return found
