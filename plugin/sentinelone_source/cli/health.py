"""`health`: the exit status for a probe."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sentinelone_source.cli.options import config_option
from sentinelone_source.config import Settings, load_settings
from sentinelone_source.errors import EXIT_FAILED, EXIT_OK, ConfigError
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.telemetry.healthcheck import HealthReport, ask_process, check_state
from sentinelone_source.times import parse_duration

MAX_AGE = 900.0
"""Largest age of a feed's last sweep in seconds, or three intervals if that is longer."""


@click.command("health")
@config_option
@click.option(
    "--max-age",
    metavar="DURATION",
    help="The largest age of a feed's last sweep. Default: 15m, or three intervals.",
)
def command(config: Path | None, max_age: str | None) -> None:
    """Check whether the poller is healthy: exit status 0 or 1, and one line with the reason.

    With `[telemetry] listen` it asks the running process. Without it, or with --max-age, it reads
    the state. It takes no lock.
    """
    settings = load_settings(config)
    age = None if max_age is None else _duration(max_age)
    asked = settings.listen if settings.listen is not None and settings.listen.port else None
    report = HealthReport(True, "") if asked is None else ask_process(asked)
    if report.healthy and (asked is None or age is not None):
        polled = _polled(settings)
        if age is None:
            age = max([MAX_AGE, *(3 * settings.feed(name).interval for name in polled)])
        consoles = {console.name for console in settings.consoles}
        report = check_state(
            settings.state_path, lambda one, feed: one in consoles and feed in polled, age
        )
    click.echo(f"{'healthy' if report.healthy else 'not healthy'}: {report.reason}")
    sys.exit(EXIT_OK if report.healthy else EXIT_FAILED)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--max-age: {error}") from None


def _polled(settings: Settings) -> set[str]:
    """Mappings whose feeds this configuration polls."""
    mappings = load_mappings(*settings.mappings)
    return {name for name, one in mappings.items() if settings.is_enabled(name, one.enabled)}
