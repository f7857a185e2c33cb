"""Files to replay, and what became of them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from structlog.testing import capture_logs

from doubles.world import World
from sentinelone_source.azure.credential import Credential
from sentinelone_source.azure.ingestion import Ingestion
from sentinelone_source.config.settings import load_settings
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.replay.job import ReplayJob
from sentinelone_source.replay.parsing import LineParser
from sentinelone_source.replay.sender import Sender
from sentinelone_source.timings import Timings
from support.cloud import AzureTenancy
from support.tenancy import NAMES, lines

QUICK = Timings(replay_first_retry=0.01, replay_longest_retry=0.1)
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


def arrived(cloud: AzureTenancy) -> Counter[str]:
    """How often each of those threats arrived."""
    return Counter(row["ThreatName"] for row in cloud.azure.rows[THREATS])


class Replayed(NamedTuple):
    """What a replay in this process logged."""

    logs: list[Any]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's lines of one kind."""
        return [line for line in self.logs if line["event"] == name]


def replay(
    cloud: AzureTenancy, name: str = "rows.ndjson", timings: Timings = QUICK, **options: Any
) -> Replayed:
    """Replay a file in this process, with short waits."""
    settings = load_settings(cloud.config)
    mappings = load_mappings(*settings.mappings)
    urls = {console.name: console.url for console in settings.consoles}
    azure = cloud.settings()
    ingestion = Ingestion(azure, Credential(azure))
    streams = {mapping.table: mapping.stream for mapping in mappings.values()}
    sender = Sender(ingestion, streams, name, timings)
    with capture_logs() as logs:
        try:
            path, parser = str(cloud.folder / name), LineParser(mappings, urls)
            job = ReplayJob(path, azure.dcr_immutable_id, parser, sender, **options)
            job.run()
            job.log_summary()
        finally:
            ingestion.close()
    return Replayed(list(logs))


def replayed(running: Any) -> dict[str, Any]:
    """The account of the last file."""
    found: dict[str, Any] = running.events("replayed")[-1]
    return found
