"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The configuration file. Else $SENTINELONE_SOURCE_CONFIG, ./config.toml, "
    "/etc/sentinelone-source/config.toml.",
)
table_option = click.option(
    "--table", "tables", multiple=True, metavar="T", help="Only this table, or mapping; repeatable."
)
