"""From a folder of mappings to the text of a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sentinelone_source.template.arm import arm_template
from sentinelone_source.template.hand_written import filled_file, source_file, tables_json
from sentinelone_source.template.limits import check_limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinelone_source.template.tables import Table

Part = Literal["tables", "rule"]
FORMATS = ("arm", "bicep", "terraform", "tables")


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
        language: one of FORMATS; `tables` is the data that the files in deploy/azure read.
        only: one part instead of all.
        with_parser: whether the workspace function is installed too.

    Raises:
        ConfigError: Azure would refuse a table, or lose what is in it.
    """
    tables = tuple(tables)
    check_limits(tables)
    if language == "tables":
        return tables_json(tables)
    if language == "arm":
        parser = source_file("SentinelOne.kql").read_text("utf-8") if with_parser else None
        return arm_template(tables, only=only, parser=parser)
    parts = {only} if only else {"tables", "rule"}
    return filled_file(language, tables, parts | ({"parser"} if with_parser else set()))
