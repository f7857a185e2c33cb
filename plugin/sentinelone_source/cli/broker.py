"""`broker`: tokens for Fluent Bit, on loopback."""

from __future__ import annotations

from pathlib import Path

import click

from sentinelone_source.cli.options import config_option, stop_signal
from sentinelone_source.config.settings import load_settings


@click.command("broker")
@config_option
def command(config: Path | None) -> None:
    """Serve access tokens on loopback, so that Fluent Bit can use any identity of Azure.

    Point Fluent Bit's `auth_url` at it. `run --broker` does the same in the poller's process.
    """
    from sentinelone_source.azure.broker import brokering
    from sentinelone_source.config.azure import azure_settings
    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    settings = load_settings(config)
    stop = stop_signal()
    with brokering(azure_settings(settings)):
        stop.wait()
