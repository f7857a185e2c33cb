"""The way from a folder of mappings to a template's text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sentinelone_source.template import arm, bicep, terraform
from sentinelone_source.template.resources import describe
from sentinelone_source.template.rules import check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinelone_source.template.model import Part
    from sentinelone_source.template.tables import Table

WRITERS = {"arm": arm.write, "bicep": bicep.write, "terraform": terraform.write}
_COMMENT = "Made from the mappings by `sentinelone-source template`; make it again, do not edit it."


def generate(
    tables: Iterable[Table],
    language: str = "arm",
    *,
    only: Part | None = None,
    with_parser: bool = False,
) -> str:
    """The template that deploys these tables.

    Args:
        tables: as planned from the mappings.
        language: `arm`, `bicep` or `terraform`.
        only: one part instead of all.
        with_parser: whether the workspace function is installed too.

    Raises:
        ConfigError: Azure would refuse a table, or lose what is in it.
    """
    tables = tuple(tables)
    check(tables)
    parser = parser_file().read_text(encoding="utf-8") if with_parser else None
    return WRITERS[language](describe(tables, only=only, parser=parser), _COMMENT)


def parser_file() -> Path:
    """The function's KQL: inside the wheel, or beside the source tree."""
    inside = Path(__file__).with_name("SentinelOne.kql")
    return inside if inside.is_file() else inside.parents[3] / "deploy" / "azure" / inside.name
