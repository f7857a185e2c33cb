"""`template`: what has to exist in Azure before the first row, from the mappings."""

from __future__ import annotations

from pathlib import Path

import click

from sentinelone_source.cli.options import config_option
from sentinelone_source.config.settings import load_settings
from sentinelone_source.errors import ConfigError
from sentinelone_source.template.generate import Part, generate
from sentinelone_source.template.tables import Table, plan_tables


@click.command("template")
@config_option
@click.option(
    "--format",
    "language",
    type=click.Choice(["arm", "bicep", "terraform", "tables"]),
    default="arm",
    show_default=True,
    help="The language. `tables`: only the tables, as JSON for the files of deploy/azure.",
)
@click.option(
    "--only",
    type=click.Choice(["tables", "rule"]),
    help="`tables`: only the tables. `rule`: only the rest. Not with --format tables.",
)
@click.option(
    "--with-parser",
    is_flag=True,
    help="Add the workspace function SentinelOne. Not with --only rule or --format tables.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file instead of stdout.",
)
def command(
    config: Path | None, language: str, only: Part | None, with_parser: bool, output: Path | None
) -> None:
    """Print a deployment template: tables, data collection rule, role, error log and alerts.

    It is generated from the mappings, your own included, and checked against Azure's limits.
    """
    if with_parser and only == "rule":
        raise ConfigError("--with-parser: the function belongs to the tables, not to --only rule")
    if language == "tables" and (only or with_parser):
        raise ConfigError("--format tables: takes no --only and no --with-parser")
    tables = plan_tables(*load_settings(config).mappings)
    text = generate(tables, language, only=only, with_parser=with_parser)
    _warn(tables)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--output: {output}: cannot be written: {error.strerror}") from None
    columns = sum(len(table.columns) for table in tables)
    page = "docs/how-to/azure.md"
    words = f"{len(tables)} tables with {columns} columns; how to deploy it: {page}"
    click.echo(f"{output}: {words}", err=True)


def _warn(tables: tuple[Table, ...]) -> None:
    import structlog

    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    for table in tables:
        for column, expected in table.retyped:
            structlog.get_logger().warning(
                "column_retyped",
                table=table.name,
                column=column.name,
                type=column.type,
                expected=expected,
            )
