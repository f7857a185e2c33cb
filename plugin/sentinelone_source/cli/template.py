"""`template`: what has to exist in Azure before the first row, from the mappings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentinelone_source.cli.options import config_option
from sentinelone_source.config import load_settings
from sentinelone_source.errors import ConfigError

if TYPE_CHECKING:
    from sentinelone_source.template.model import Part
    from sentinelone_source.template.tables import Table


@click.command("template")
@config_option
@click.option(
    "--format",
    "language",
    type=click.Choice(["arm", "bicep", "terraform"]),
    default="arm",
    show_default=True,
    help="The language to write it in.",
)
@click.option(
    "--only",
    type=click.Choice(["tables", "rule"]),
    help="Only what belongs into the workspace's resource group, or only the rest.",
)
@click.option("--with-parser", is_flag=True, help="The parser function SentinelOne too.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A file, instead of standard output."
)
def command(
    config: Path | None, language: str, only: Part | None, with_parser: bool, output: Path | None
) -> None:
    """Print what to deploy: tables, data collection rule, role, error log and alerts.

    It is made from the mappings, your own among them, and checked against what Azure takes.
    """
    from sentinelone_source.template.generator import generate
    from sentinelone_source.template.tables import plan_tables

    if with_parser and only == "rule":
        raise ConfigError("--with-parser: the function belongs to the tables, not to --only rule")
    tables = plan_tables(load_settings(config).mappings_path)
    text = generate(tables, language, only=only, with_parser=with_parser)
    _warn(tables)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--output: {output}: cannot be written: {error.strerror}") from None
    click.echo(_summary(output, tables), err=True)


def _summary(output: Path, tables: tuple[Table, ...]) -> str:
    columns = sum(len(table.columns) for table in tables)
    return f"{output}: {len(tables)} tables with {columns} columns; how to deploy it: docs/azure.md"


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
