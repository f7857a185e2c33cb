"""`demo`: a console on loopback and the real poller against it; loopback servers alone."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import click

from sentinelone_source.cli.options import config_option, stop_signal
from sentinelone_source.config.settings import load_settings

TOKEN = "demo-token"  # noqa: S105 - of a console that only this machine can reach
seed_option = click.option(
    "--seed", default=1, show_default=True, help="The same seed makes the same records."
)


@click.group("demo", invoke_without_command=True)
@config_option
@click.option("--seconds", default=10.0, show_default=True, help="How long to poll.")
@seed_option
@click.option(
    "--pipeline", is_flag=True, help="Add a shipper and a Data Collection Endpoint on loopback."
)
@click.pass_context
def command(
    ctx: click.Context, config: Path | None, seconds: float, seed: int, *, pipeline: bool
) -> None:
    """Run the poller against a demo console on loopback: rows on stdout, then a summary.

    With --pipeline an installed Fluent Bit or Vector, else `replay`, delivers the rows to a Data
    Collection Endpoint on loopback. Of a configuration only `[mappings] path` is used.
    """
    if ctx.invoked_subcommand is None:
        from sentinelone_source.demo.show import DemoOptions, show, show_pipeline

        options = DemoOptions(seconds, seed, TOKEN, load_settings(config).mappings.path)
        sys.exit(show_pipeline(options) if pipeline else show(options))


@command.command("console")
@click.option(
    "--port", default=8081, show_default=True, help="The port on 127.0.0.1. 0 takes a free one."
)
@click.option("--token", default=TOKEN, show_default=True, help="The API token it accepts.")
@seed_option
def console(port: int, token: str, seed: int) -> None:
    """Run the demo console alone until a stop signal. Twice a second something happens on it."""
    from sentinelone_source.demo.console import DemoConsole
    from sentinelone_source.demo.world import TICK, new_world
    from sentinelone_source.errors import SourceError

    world = new_world(seed)
    server = DemoConsole(world, {token}, port=port)
    try:
        server.start()
    except OSError as error:
        raise SourceError(f"--port {port}: {error.strerror}") from None
    click.echo(f"SENTINELONE_URL={server.url} SENTINELONE_TOKEN={token}", err=True)
    stop = stop_signal()
    while not stop.wait(TICK):
        world.tick()
    server.stop()


def _address(_: click.Context, parameter: click.Parameter, value: str) -> tuple[str, int]:
    """`127.0.0.1:8690` or `[::1]:8690`."""
    host, _colon, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise click.BadParameter(
            f"{value!r} is not an address; write '127.0.0.1:8690'", None, parameter
        )
    return host.strip("[]"), int(port)


@command.command("dce")
@config_option
@click.option(
    "--listen",
    default="127.0.0.1:8690",
    metavar="HOST:PORT",
    show_default=True,
    callback=_address,
    help="Address without TLS. Port 0 takes a free one.",
)
@click.option(
    "--listen-tls",
    default="127.0.0.1:8691",
    metavar="HOST:PORT",
    show_default=True,
    callback=_address,
    help="Address with TLS.",
)
@click.option(
    "--tls/--no-tls",
    default=None,
    help="Whether to listen with TLS. Default: if `cryptography` is installed.",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the CA certificate here. Default: a temporary file.",
)
@click.option(
    "--rows",
    type=click.File("ab"),
    metavar="FILE",
    help="Append every row as NDJSON to this file. `-` is stdout.",
)
def dce(  # noqa: PLR0913 - its options
    config: Path | None,
    listen: tuple[str, int],
    listen_tls: tuple[str, int],
    *,
    tls: bool | None,
    ca_file: Path | None,
    rows: BinaryIO | None,
) -> None:
    """Run Entra ID's token endpoint and a Data Collection Endpoint on loopback until a stop signal.

    stderr gets their addresses, ids and CA certificate as shell variables, and at the end a summary
    by table. The streams are those of the mappings.
    """
    from sentinelone_source.demo.dce.azure import DemoAzure, has_tls
    from sentinelone_source.demo.dce.identity import DemoBehaviour
    from sentinelone_source.demo.dce.ingestion import built_in_streams
    from sentinelone_source.demo.dce.report import shell_lines, summary
    from sentinelone_source.errors import SourceError

    streams = built_in_streams(*load_settings(config).mappings)
    with contextlib.ExitStack() as stack:
        ca_file = ca_file or Path(stack.enter_context(tempfile.TemporaryDirectory()), "ca.pem")
        is_tls = has_tls() if tls is None else tls
        try:
            azure = DemoAzure(
                streams,
                DemoBehaviour(),
                ca_file if is_tls else None,
                listen=listen,
                listen_tls=listen_tls,
                rows_file=rows,
            )
            stop = stop_signal()
            stack.enter_context(azure)
        except OSError as error:
            raise SourceError(f"demo dce: {error.filename}: {error.strerror}") from None
        click.echo(shell_lines(azure), err=True)
        stop.wait()
    click.echo(summary(azure), err=True)
