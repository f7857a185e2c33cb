"""Rows on their whole way, for a first look: what was handed over, and what arrived."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sentinelone_source.demo.activity import Activity
from sentinelone_source.demo.console import Console
from sentinelone_source.demo.dce import certificates
from sentinelone_source.demo.dce.azure import Azure
from sentinelone_source.demo.dce.schema_check import built_in_streams
from sentinelone_source.demo.dce.show import summary
from sentinelone_source.demo.pipeline.shippers import Shipper, installed, running
from sentinelone_source.demo.pipeline.surroundings import surroundings
from sentinelone_source.demo.show import CONFIG, TICK, new_world
from sentinelone_source.errors import EXIT_FAILED, EXIT_OK, ConfigError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    Args:
        seconds: how long something happens on the console.
        seed: of its world.
        token: that it accepts.
        mappings: a folder of the user's.

    Returns:
        The exit status: 0 if everything that was handed over arrived.

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
        Azure(streams) as azure,
        Console(world, {token}) as console,
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


def _through(shipper: Shipper, azure: Azure, folder: Path, world: World, seconds: float) -> int:
    """Let a shipper deliver; gives the number of rows that it was handed."""
    with running(shipper, azure, folder) as url:
        handed_over = _poll(azure, folder, world, seconds, url)
        _await(azure, handed_over)
    return handed_over


def _past(azure: Azure, folder: Path, world: World, seconds: float) -> int:
    """Keep rows in a file, and replay it; gives the number of rows in it."""
    handed_over = _poll(azure, folder, world, seconds, "stdout")
    replay = [*_COMMAND, "replay", "rows.ndjson"]
    done = subprocess.run(  # noqa: S603 - our own command
        replay, cwd=folder, env=surroundings(azure), capture_output=True, check=False
    )
    if done.returncode:
        raise SourceError(f"replay: {_last(done.stderr)}")
    return handed_over


def _poll(azure: Azure, folder: Path, world: World, seconds: float, to: str) -> int:
    """Run the real source for some seconds, while something happens; gives its rows."""
    with _source(azure, folder, to) as process:
        end, activity = time.monotonic() + seconds, Activity(world)
        while time.monotonic() < end and process.poll() is None:
            time.sleep(TICK)
            activity.tick()
        time.sleep(1.5)  # one more sweep sees the last tick
        process.send_signal(signal.SIGTERM)
        status = process.wait()
    log = Path(folder, "source.log").read_bytes()
    if status:
        raise SourceError(f"sentinelone-source run: {_last(log)}")
    return int(msgspec.json.decode(log.splitlines()[-1])["rows"])


@contextlib.contextmanager
def _source(azure: Azure, folder: Path, to: str) -> Iterator[subprocess.Popen[bytes]]:
    with (
        Path(folder, "source.log").open("wb") as log,
        Path(folder, "rows.ndjson").open("wb") as out,
    ):
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*_COMMAND, "run", "--to", to],
            cwd=folder,
            env=surroundings(azure),
            stdout=out,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _await(azure: Azure, wanted: int) -> None:
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
