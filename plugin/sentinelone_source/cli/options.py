"""What several commands share: options, and how they stop."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Event

import click
import msgspec

from sentinelone_source.config.checks import check_destination
from sentinelone_source.config.settings import Settings
from sentinelone_source.errors import ConfigError
from sentinelone_source.times import SECOND, SYSTEM_CLOCK, parse_duration, parse_moment


def _from_group(ctx: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    """`state --config F show` is `state show --config F`."""
    if value is None and ctx.parent is not None:
        inherited: Path | None = ctx.parent.params.get("config")
        return inherited
    return value


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=_from_group,
    help="The configuration file. Default: $SENTINELONE_SOURCE_CONFIG, then ./config.toml, then "
    "/etc/sentinelone-source/config.toml.",
)
table_option = click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="T",
    help="Only this table (SentinelOneThreats_CL) or mapping (threats). Repeatable.",
)
to_option = click.option(
    "--to",
    metavar="stdout|URL",
    help="Where rows go: stdout, or the URL of a shipper's listener. Overrides `[handover] to`.",
)


def with_destination(settings: Settings, to: str | None) -> Settings:
    """The settings with the value of `--to`, if any. Raises ConfigError if it is no destination."""
    if to is None:
        return settings
    check_destination(to, "--to")
    handover = msgspec.structs.replace(settings.handover, to=to)
    return msgspec.structs.replace(settings, handover=handover)


def rows_on_terminal(settings: Settings) -> bool:
    """Whether rows are written where people would look at a bar."""
    return settings.handover.to == "stdout" and os.isatty(1)


def stop_signal() -> Event:
    """Set by SIGTERM and SIGINT; the kernel ignores both for a process 1 without a handler."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def read_moment(text: str, option: str) -> int:
    """A moment from a timestamp, or from a duration back from now. Raises ConfigError."""
    try:
        return SYSTEM_CLOCK.now() - round(parse_duration(text) * SECOND)
    except ValueError:
        pass
    try:
        return parse_moment(text)
    except ValueError:
        raise ConfigError(
            f"{option}: {text!r} is not a timestamp; write 2026-01-31T08:00:00Z, "
            "or 6h for six hours back"
        ) from None
