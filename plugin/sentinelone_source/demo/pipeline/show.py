"""Rows on their whole way, for a first look: what was handed over, and what arrived."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sentinelone_source.demo.activity import Activity
from sentinelone_source.demo.console import DemoConsole
from sentinelone_source.demo.dce import certificates
from sentinelone_source.demo.dce.azure import DemoAzure
from sentinelone_source.demo.dce.schema_check import built_in_streams
from sentinelone_source.demo.dce.show import summary
from sentinelone_source.demo.pipeline.shippers import Shipper, installed, running, surroundings
from sentinelone_source.demo.show import CONFIG, TICK, new_world
from sentinelone_source.errors import EXIT_FAILED, EXIT_OK, ConfigError, SourceError

if TYPE_CHECKING:
    from sentinelone_source.demo.world import World

STILL = 20.0
"""Seconds without a new row after which no more is waited for."""
_COMMAND = [sys.executable, "-m", "sentinelone_source"]
_AZURE = """
[azure]
endpoint = "{endpoint}"
dcr_immutable_id = "{dcr}"
"""


def show(seconds: float, seed: int, token: str, mappings: Path | None) -> int:
    """Run the whole way for some seconds; a summary goes to stderr.

    `seed` is the world's, `token` the console's, `mappings` a folder of the user's. Gives the exit
    status: 0 if everything that was handed over arrived.

    Raises:
        ConfigError: TLS on loopback needs a package that is not there.
        SourceError: the shipper, or the source, failed.
    """
    if not certificates.is_possible():
        raise ConfigError(f"demo --pipeline: {certificates.MISSING}")
    shipper, world = installed(), new_world(seed)
    streams = built_in_streams(mappings)
    with (
        tempfile.TemporaryDirectory() as name,
        DemoAzure(streams) as azure,
        DemoConsole(world, {token}) as console,
    ):
        folder = Path(name)
        config = CONFIG.format(url=console.url)
        config += _AZURE.format(endpoint=azure.endpoint, dcr=azure.behaviour.dcr_id)
        if mappings is not None:
            config += (
                f"[mappings]\npath = {msgspec.json.encode(str(mappings.resolve())).decode()}\n"
            )
        Path(folder, "config.toml").write_text(config)
        Path(folder, "token").write_text(token)
        way = shipper.name if shipper else "replay (no Fluent Bit or Vector is installed)"
        _say(f"console → sentinelone-source → {way} → Data Collection Endpoint, for {seconds:g} s")
        if shipper:
            handed_over = _through(shipper, azure, folder, world, seconds)
        else:
            handed_over = _past(azure, folder, world, seconds)
        arrived = sum(azure.received.counts().values())
    _say(f"{summary(azure)}\n{handed_over} rows were handed over, {arrived} arrived")
    return EXIT_OK if arrived >= handed_over else EXIT_FAILED


def _through(shipper: Shipper, azure: DemoAzure, folder: Path, world: World, seconds: float) -> int:
    """Let a shipper deliver; gives the number of rows that it was handed."""
    with running(shipper, azure, folder) as url:
        handed_over = _poll(azure, folder, world, seconds, url)
        _await(azure, handed_over)
    return handed_over


def _past(azure: DemoAzure, folder: Path, world: World, seconds: float) -> int:
    """Keep rows in a file, and replay it; gives the number of rows in it."""
    handed_over = _poll(azure, folder, world, seconds, "stdout")
    replay = [*_COMMAND, "replay", "rows.ndjson"]
    done = subprocess.run(  # noqa: S603 - our own command
        replay, cwd=folder, env=surroundings(azure), capture_output=True, check=False
    )
    if done.returncode:
        raise SourceError(f"replay: {_last(done.stderr)}")
    return handed_over


def _poll(azure: DemoAzure, folder: Path, world: World, seconds: float, to: str) -> int:
    """Run the real source for some seconds, while something happens; gives its rows."""
    log_file, rows_file = folder / "source.log", folder / "rows.ndjson"
    with log_file.open("wb") as log, rows_file.open("wb") as out:
        command = [*_COMMAND, "run", "--to", to]
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=folder, env=surroundings(azure), stdout=out, stderr=log
        )
    activity = Activity(world)
    try:
        while process.poll() is None and not log_file.stat().st_size:
            time.sleep(0.05)  # until it has started
        for _ in range(ceil(seconds / TICK)):
            if process.poll() is not None:
                break
            time.sleep(TICK)
            activity.tick()
        time.sleep(1.5)  # one more sweep sees the last tick
        process.terminate()
        status = process.wait()
    finally:
        process.kill()
        process.wait()
    log_text = log_file.read_bytes()
    if status:
        raise SourceError(f"sentinelone-source run: {_last(log_text)}")
    return int(msgspec.json.decode(log_text.splitlines()[-1])["rows"])


def _await(azure: DemoAzure, wanted: int) -> None:
    """Returns when so many rows have arrived, or none for a while."""
    arrived, since = -1, time.monotonic()
    while arrived < wanted and time.monotonic() - since < STILL:
        count = sum(azure.received.counts().values())
        if count != arrived:
            arrived, since = count, time.monotonic()
        time.sleep(0.1)


def _last(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines() or ["it says nothing"]
    return lines[-1]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - what was asked for
