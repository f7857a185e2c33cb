"""`doctor`: everything between a console and the workspace, checked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from sentinelone_source.cli.options import config_option
from sentinelone_source.errors import EXIT_FAILED, EXIT_OK

if TYPE_CHECKING:
    from sentinelone_source.doctor.checks import Check

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "blue"}
_NAME = 44


@click.command("doctor")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each check.")
@click.option("--send-test", is_flag=True, help="Also deliver one row that is marked as a test.")
def command(config: Path | None, as_json: bool, send_test: bool) -> None:
    """Check everything between the consoles and the workspace.

    Exit status 1 means that a check failed. The command takes no lock and shows no secret.
    """
    from sentinelone_source.doctor.run import run_checks

    broken = False
    for check in run_checks(config, send_test=send_test):
        broken |= check.status == "failed"
        click.echo(msgspec.json.encode(check) if as_json else _line(check))
    sys.exit(EXIT_FAILED if broken else EXIT_OK)


def _line(check: Check) -> str:
    status = click.style(check.status.ljust(7), fg=_COLOURS[check.status])
    line = f"{status}  {check.check.ljust(_NAME)}  {check.found}"
    return f"{line}\n{'':{_NAME + 9}}  → {check.advice}" if check.advice else line
