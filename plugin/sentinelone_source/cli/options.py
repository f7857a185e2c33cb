"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click


def _from_group(ctx: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    """`state --config F show` is `state show --config F`."""
    if value is None and ctx.parent is not None:
        inherited: Path | None = ctx.parent.params.get("config")
        return inherited
    return value


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    callback=_from_group,
    help="The configuration file. Default: $SENTINELONE_SOURCE_CONFIG, then ./config.toml, then "
    "/etc/sentinelone-source/config.toml.",
)
table_option = click.option(
    "--table", "tables", multiple=True, metavar="T", help="Only this table or mapping. Repeatable."
)
