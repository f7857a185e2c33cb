"""The command line. Each command is a module of its own, imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from sentinelone_source import __version__

_COMMANDS = {
    "run": "poll the consoles and hand rows over to the shipper",
    "verify": "compare what the console shows with what was handed over",
    "backfill": "read a span of the past, beside a running poller",
    "map": "turn API records into rows, offline",
    "doctor": "check everything between the consoles and the workspace",
    "replay": "send rows or dead letters directly to the Data Collection Rule",
    "broker": "serve tokens for Fluent Bit on loopback",
    "state": "show watermarks, or move them back",
    "health": "tell a probe whether the poller is healthy",
    "template": "print what to deploy in Azure: tables, rule, role, alerts",
    "demo": "run against a demo console on loopback",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"sentinelone_source.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def commands() -> None:
    """SentinelOne records as rows of the Microsoft Sentinel tables, for Fluent Bit and Vector."""
