"""A tenant, its console on loopback, and a directory with a configuration for the program."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from doubles.console import ScriptedConsole
from doubles.world import Name, World
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.record_files import page_of
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.mapping.spec.model import ConsoleId
from support.processes import Running

TOKEN = "s3cr3t-0f-the-c0ns0le"
NAMES: tuple[Name, ...] = ("activities", "agents", "alerts", "groups", "threats")
TABLES = {name: f"SentinelOne{name.capitalize()}_CL" for name in NAMES}
CONFIG = """
[state]
path = "state"
[[consoles]]
name = "acme"
url = "{url}"
token_file = "token"
[feeds]
interval = "{interval}"
start = "{start}"
lookback = "{lookback}"
[feeds.alerts]
rescan_interval = "0s"
[handover]
settle = "{settle}"
[mappings]
path = "mappings"
"""
OTHER = """
table = "Other_CL"
stream = "Custom-Other_CL"
[request]
path = "groups"
records = "$.data"
[walk]
id = "$.id"
position = "$.updatedAt"
filter = "updatedAt__gte"
sort_by = "updatedAt"
[columns]
TimeGenerated = { path = "$.updatedAt", type = "datetime" }
Id = "$.id"
"""
"""A mapping of one's own: groups in a table that no shipper of ours knows."""


class Tenancy:
    """Everything a run needs, in one folder."""

    def __init__(self, folder: Path, world: World, console: ScriptedConsole) -> None:
        self.folder = folder
        self.world = world
        self.console = console
        self.config = folder / "config.toml"
        (folder / "token").write_text(TOKEN + "\n")
        (folder / "mappings").mkdir()
        self.configure()

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def configure(self, more: str = "", page_size: int = 1000, **over: Any) -> None:
        """Write the configuration again."""
        values = {
            "interval": "50ms",
            "start": "2h",
            "settle": "0s",
            "lookback": "10m",
            "url": self.console.url,
        }
        self.config.write_text(CONFIG.format(**{**values, **over}) + more)
        for name, table in TABLES.items():
            Path(self.folder, "mappings", f"{name}.toml").write_text(
                f'table = "{table}"\n[request]\npage_size = {page_size}\n'
            )

    def start(self, *arguments: object, **how: Any) -> Running:
        """`run`, with these arguments."""
        return Running("run", "--config", self.config, *arguments, folder=self.folder, **how)

    def once(self, *arguments: object, status: int = 0, **how: Any) -> Running:
        """`run --once` to its end."""
        with self.start("--once", *arguments, **how) as running:
            assert running.wait() == status, running.errors
        return running

    def populate(self, number: int = 10, over: timedelta = timedelta(hours=1)) -> None:
        """So many records of each kind."""
        self.world.populate(over=over, **dict.fromkeys(NAMES, number))

    def shown(self, names: Iterable[Name] = NAMES) -> set[bytes]:
        """The lines that the records of the console make as they are now."""
        return {line for name in names for line in lines(name, self.world.all(name))}


@cache
def mapper_of(name: str) -> Mapper:
    """The mapper of a built-in mapping."""
    return Mapper(load_mappings()[name])


def lines(name: str, records: list[dict[str, Any]]) -> list[bytes]:
    """The lines that records make."""
    mapper = mapper_of(name)
    body = page_of(mapper.mapping, map(msgspec.json.encode, records))
    page = mapper.open(body, ConsoleId("demo", None))
    pieces = b"".join(piece.data for piece in mapper.lines(page))
    return pieces.split(b"\n")[:-1]


def table_of(line: bytes) -> str:
    """Whose row a line is."""
    table = msgspec.json.decode(line)["_table"]
    assert isinstance(table, str)
    return table
