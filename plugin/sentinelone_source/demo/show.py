"""What `demo` shows: a demo console, something happening on it, and the real poller against it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from math import ceil
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from sentinelone_source.config.settings import load_settings
from sentinelone_source.demo.console import DemoConsole
from sentinelone_source.demo.dce.azure import TLS_MISSING, DemoAzure, has_tls
from sentinelone_source.demo.dce.identity import DemoBehaviour
from sentinelone_source.demo.dce.ingestion import built_in_streams
from sentinelone_source.demo.dce.report import row_lines, summary
from sentinelone_source.demo.shippers import installed, running, surroundings
from sentinelone_source.demo.world import TICK, DemoWorld, new_world
from sentinelone_source.errors import EXIT_FAILED, EXIT_OK, ConfigError, SourceError
from sentinelone_source.service import Service, build_service
from sentinelone_source.telemetry.logs import configure_logs

STILL = 20.0
"""Seconds without a new row after which no more is waited for."""
_CONFIG = """
[state]
path = "state"
[[consoles]]
name = "demo"
url = "{url}"
token_file = "token"
[feeds]
interval = "1s"
start = "1h"
[feeds.alerts]
rescan_interval = "2s"
[handover]
settle = "1s"
to = "{to}"
[mappings]
path = {mappings}
"""
_AZURE = """
[state]
path = "state"
[mappings]
path = {mappings}
[azure]
endpoint = "{endpoint}"
dcr_immutable_id = "{dcr}"
"""


class DemoOptions(NamedTuple):
    """What `demo` is to do: the world's seed, the console's token, the user's mapping files."""

    seconds: float
    seed: int
    token: str
    mappings: Path | None

    def mappings_toml(self) -> str:
        """The folder as a value of TOML."""
        return msgspec.json.encode(str(self.mappings.resolve()) if self.mappings else "").decode()


def _poll(folder: Path, options: DemoOptions, to: str = "stdout") -> tuple[int, Service]:
    """Poll a demo console for some seconds; gives the exit status, and what has run."""
    configure_logs(quiet=True)
    config = folder / "config.toml"
    with DemoConsole(new_world(options.seed), {options.token}) as console:
        (folder / "token").write_text(options.token)
        mappings = options.mappings_toml()
        config.write_text(_CONFIG.format(url=console.url, to=to, mappings=mappings))
        with build_service(load_settings(config), (), once=False) as service:
            return asyncio.run(_run(service, console.world, options.seconds)), service


async def _run(service: Service, world: DemoWorld, seconds: float) -> int:
    stop = asyncio.Event()

    async def live() -> None:
        for _ in range(ceil(seconds / TICK)):
            await asyncio.sleep(TICK)
            world.tick()
        await asyncio.sleep(1.5)  # so that one more sweep reads the last changes
        stop.set()

    life = asyncio.create_task(live())
    try:
        return await service.run_until(stop)
    finally:
        life.cancel()


def show(options: DemoOptions) -> int:
    """Rows of a demo console go to stdout, a summary to stderr; gives the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        status, service = _poll(Path(folder), options)
    rows = _rows(service)
    suppressed = sum(feed.counts.suppressed for feed in service.feeds)
    late = sum(feed.counts.late.total() for feed in service.feeds)
    head = f"\n{rows.total()} rows in {options.seconds:g} seconds:"
    tail = f"{suppressed} duplicates suppressed, {late} late records caught"
    click.echo("\n".join([head, *row_lines(rows, 5), tail]), err=True)
    return status


def _rows(service: Service) -> Counter[str]:
    return Counter({feed.table: feed.counts.rows for feed in service.feeds})


def show_pipeline(options: DemoOptions) -> int:
    """The whole way of rows; gives the exit status, 0 if all that was handed over arrived.

    Raises ConfigError where TLS lacks its package, SourceError if the shipper or the source fails.
    """
    if not has_tls():
        raise ConfigError(f"demo --pipeline: {TLS_MISSING}")
    shipper, streams = installed(), built_in_streams(options.mappings)
    way = shipper.name if shipper else "replay (no Fluent Bit or Vector is installed)"
    with (
        tempfile.TemporaryDirectory() as name,
        DemoAzure(streams, DemoBehaviour(), Path(name, "ca.pem")) as azure,
    ):
        way = f"console → sentinelone-source → {way} → Data Collection Endpoint"
        click.echo(f"{way}, for {options.seconds:g} s", err=True)
        folder = Path(name)
        if shipper:
            with running(shipper, azure, folder) as url:
                handed_over = _rows(_poll(folder, options, url)[1]).total()
                _await(azure, handed_over)
        else:
            handed_over = _replayed(azure, folder, options)
        arrived = azure.received.total()
    said = f"{summary(azure)}\n{handed_over} rows were handed over, {arrived} arrived"
    click.echo(said, err=True)
    return EXIT_OK if arrived >= handed_over else EXIT_FAILED


def _replayed(azure: DemoAzure, folder: Path, options: DemoOptions) -> int:
    """`demo > rows.ndjson`, then `replay rows.ndjson`; gives the number of rows."""
    mappings, dcr = options.mappings_toml(), azure.behaviour.dcr_id
    config = _AZURE.format(mappings=mappings, endpoint=azure.endpoint, dcr=dcr)
    (folder / "config.toml").write_text(config)
    rows = folder / "rows.ndjson"
    demo = ["demo", f"--seconds={options.seconds}", f"--seed={options.seed}"]
    for arguments in (demo, ["replay", rows.name]):
        with rows.open("ab") as out:
            done = subprocess.run(  # noqa: S603 - our own command
                [sys.executable, "-m", "sentinelone_source", *arguments],
                cwd=folder,
                env=surroundings(azure),
                stdout=out,
                stderr=subprocess.PIPE,
                check=False,
            )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
            raise SourceError(f"{arguments[0]}: {said[-1]}")
    return rows.read_bytes().count(b"\n")


def _await(azure: DemoAzure, wanted: int) -> None:
    """Returns when so many rows have arrived, or none for a while."""
    arrived, since = -1, time.monotonic()
    while arrived < wanted and time.monotonic() - since < STILL:
        count = azure.received.total()
        if count != arrived:
            arrived, since = count, time.monotonic()
        time.sleep(0.1)
