"""`demo`: a console on loopback, and the real poller against it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from sentinelone_source.cli.options import config_option
from sentinelone_source.config import load_settings

TOKEN = "demo-token"  # noqa: S105 - of a console that only this machine can reach


@click.group("demo", invoke_without_command=True)
@config_option
@click.option("--seconds", default=10.0, show_default=True, help="How long to poll.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same world.")
@click.pass_context
def command(ctx: click.Context, config: Path | None, seconds: float, seed: int) -> None:
    """A living console on loopback and the poller against it: rows on stdout, then a summary.

    Of a configuration only `[mappings]` is used.
    """
    if ctx.invoked_subcommand is None:
        from sentinelone_source.demo.show import show

        mappings = load_settings(config).mappings_path
        sys.exit(show(seconds, seed, TOKEN, mappings))


@command.command("console")
@click.option("--port", default=8081, show_default=True, help="On 127.0.0.1; 0 takes a free one.")
@click.option("--token", default=TOKEN, show_default=True, help="The API token it accepts.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same world.")
def console(port: int, token: str, seed: int) -> None:
    """The console alone, until interrupted; something happens on it twice a second."""
    import contextlib

    from sentinelone_source.demo.show import TICK, new_world
    from sentinelone_source.errors import SourceError

    world = new_world(seed)
    from sentinelone_source.demo.server import Console

    try:
        server = Console(world, {token}, port=port)
        server.start()
    except OSError as error:
        raise SourceError(f"--port {port}: {error.strerror}") from None
    click.echo(f"SENTINELONE_URL={server.url} SENTINELONE_TOKEN={token}", err=True)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(TICK)
            world.tick()
    server.stop()
