"""`health`: the exit status for a probe."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NamedTuple

import click

from sentinelone_source.cli.options import config_option
from sentinelone_source.config.addresses import Address
from sentinelone_source.config.settings import Settings, load_settings, read_duration
from sentinelone_source.errors import EXIT_FAILED, EXIT_OK, StateError
from sentinelone_source.feed.state.files import StateSnapshot, read_snapshot
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.timings import DEFAULTS

MAX_AGE = 900.0
"""Largest age of a feed's last sweep in seconds, or three intervals if that is longer."""


class HealthReport(NamedTuple):
    """Whether the poller is well, and why."""

    healthy: bool
    reason: str


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
    age = None if max_age is None else read_duration(max_age, "--max-age")
    asked = settings.listen if settings.listen is not None and settings.listen.port else None
    report = HealthReport(True, "") if asked is None else _ask_process(asked)
    if report.healthy and (asked is None or age is not None):
        report = _check_state(settings, age)
    click.echo(f"{'healthy' if report.healthy else 'not healthy'}: {report.reason}")
    sys.exit(EXIT_OK if report.healthy else EXIT_FAILED)


def _ask_process(address: Address) -> HealthReport:
    """Ask a process that listens whether its event loop turns."""
    import http.client

    connection = http.client.HTTPConnection(*address.from_here, timeout=DEFAULTS.health_answer)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        said = " ".join(answer.read(1000).decode("utf-8", "replace").split())
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return HealthReport(False, f"no answer from {address.from_here}: {reason}")
    finally:
        connection.close()
    healthy = answer.status == 200 and '"alive"' in said  # not another program's 200
    return HealthReport(healthy, f"{address.from_here} answers {answer.status}: {said[:200]}")


def _check_state(settings: Settings, max_age: float | None) -> HealthReport:
    """Look at the state for sweeps of this configuration's feeds that came to their end."""
    mappings = load_mappings(*settings.mappings)
    polled = {name for name, one in mappings.items() if settings.is_enabled(name, one.enabled)}
    consoles = {console.name for console in settings.consoles}
    if max_age is None:
        max_age = max([MAX_AGE, *(3 * settings.feed(name).interval for name in polled)])
    try:
        seen = read_snapshot(settings.state_path)
    except StateError as error:
        return HealthReport(False, str(error))
    swept = {
        (console, feed): at
        for (console, feed), at in seen.swept.items()
        if console in consoles and feed in polled
    }
    return judge(seen._replace(swept=swept), max_age, time.time())


def judge(seen: StateSnapshot, max_age: float, now: float) -> HealthReport:
    """What a state means. A process that has just begun is given `max_age` like any other.

    A feed's first sweep may take hours: until it has ended, something has to be settled instead.
    """
    if not seen.swept:
        return HealthReport(False, "the state has no feed of this configuration")
    for (console, mapping), swept in seen.swept.items():
        last = seen.written if swept is None else swept
        age = now - max(last, seen.started)
        if age > max_age:
            what = "swept" if swept is not None else "settled anything in its first sweep"
            said = f"{console}/{mapping}: last {what} {now - last:.0f} s ago"
            return HealthReport(False, f"{said}; {max_age:.0f} s are allowed")
    number = len(seen.swept)
    feeds = f"{number} feeds, each" if number > 1 else "1 feed,"
    return HealthReport(True, f"{feeds} swept or begun within {max_age:.0f} s")
