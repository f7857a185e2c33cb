"""The command line. Each command is a module of its own, imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from sentinelone_source import __version__

_COMMANDS = {
    "run": "poll continuously, or one sweep of every feed with --once",
    "map": "turn API records into rows, offline",
    "doctor": "check everything between the consoles and the workspace",
    "replay": "send rows or dead letters directly to the Data Collection Rule",
    "broker": "a token endpoint on loopback, for Fluent Bit",
    "state": "show the watermarks, and move them",
    "health": "exit status for a probe",
    "template": "what to deploy in Azure: tables, rule, role, alerts",
    "demo": "the poller against a console of its own, for a first look",
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
