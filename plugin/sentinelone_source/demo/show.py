"""The first look: the demo console, something happening on it, and the real poller against it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import timedelta
from math import ceil
from pathlib import Path

import msgspec

from sentinelone_source.config.settings import load_settings
from sentinelone_source.demo.activity import Activity
from sentinelone_source.demo.console import DemoConsole
from sentinelone_source.demo.world import World
from sentinelone_source.service import Service, build_service
from sentinelone_source.telemetry.logs import configure_logs

TICK = 0.5
"""Seconds between two things that happen on the demo console."""

CONFIG = """
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
"""


def new_world(seed: int) -> World:
    """A small tenant with an hour of history."""
    world = World(seed)
    world.populate(over=timedelta(hours=1), activities=12, agents=4, alerts=2, groups=3, threats=3)
    return world


def show(seconds: float, seed: int, token: str, mappings: Path | None) -> int:
    """Poll the demo console for some seconds; rows go to stdout, a summary to stderr.

    `seed` is the world's, `token` the console's, `mappings` a folder of the user's. Gives the exit
    status.
    """
    configure_logs(quiet=True)
    world = new_world(seed)
    with tempfile.TemporaryDirectory() as folder, DemoConsole(world, {token}) as console:
        config = Path(folder, "config.toml")
        config.write_text(CONFIG.format(url=console.url))
        Path(folder, "token").write_text(token)
        settings = load_settings(config)
        settings = msgspec.structs.replace(
            settings, mappings=settings.mappings._replace(path=mappings)
        )
        with build_service(settings, (), once=False) as service:
            status = asyncio.run(_poll(service, world, seconds))
            print(_summary(service, seconds), file=sys.stderr)  # noqa: T201 - what was asked for
    return status


async def _poll(service: Service, world: World, seconds: float) -> int:
    stop, activity = asyncio.Event(), Activity(world)

    async def live() -> None:
        for _ in range(ceil(seconds / TICK)):
            await asyncio.sleep(TICK)
            activity.tick()
        await asyncio.sleep(1.5)  # one more sweep sees the last tick
        stop.set()

    life = asyncio.create_task(live())
    try:
        return await service.run_until(stop)
    finally:
        life.cancel()


def _summary(service: Service, seconds: float) -> str:
    rows = {feed.table: feed.counts for feed in service.feeds}
    width = max(map(len, rows))
    total, suppressed, late = map(
        sum,
        zip(*((one.rows, one.suppressed, one.late.total()) for one in rows.values()), strict=True),
    )
    lines = [f"  {table:<{width}}  {counts.rows:>5} rows" for table, counts in rows.items()]
    head = f"\n{total} rows in {seconds:g} seconds:"
    tail = f"{suppressed} duplicates suppressed, {late} late records caught"
    return "\n".join([head, *lines, tail])
