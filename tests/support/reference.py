"""docs/reference/tables.md, from the mappings: `make reference` writes it, a test compares it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.mapping.spec.health import HEALTH
from sentinelone_source.mapping.spec.model import Column, Mapping, TableSpec

PAGE = Path(__file__).parents[2] / "docs/reference/tables.md"
HEAD = """\
# Tables and columns

This page has every table and column that sentinelone-source writes, and the source of each value.
It is generated from the built-in mappings: `make reference` writes it. [Mapping files](mappings.md)
explains paths and types.
"""
HEALTH_TEXT = "The rows come from the program itself: see [Telemetry](telemetry.md#health-rows)."


def tables() -> str:
    """The page."""
    specs = [*load_mappings().values(), HEALTH]
    return "\n".join([HEAD, *("\n".join(_table(spec)) for spec in specs)])


def _table(spec: TableSpec) -> Iterator[str]:
    yield f"## {spec.table}\n"
    yield f"{_text(spec)}\n"
    yield "| column | type | source |"
    yield "|---|---|---|"
    for column in spec.columns:
        yield f"| `{column.name}` | `{column.type}` | {_source(column)} |"
    yield ""


def _text(spec: TableSpec) -> str:
    if not isinstance(spec, Mapping):
        return HEALTH_TEXT
    ordering, state = spec.ordering, "on" if spec.enabled else "off"
    version = f" and the version `{ordering.version.text}`" if ordering.version else ""
    return (
        f"Feed `{spec.name}`, {state} by default, reads `{spec.request.path}` in the order of "
        f"`{ordering.position.text}`. A row is identified by `{ordering.id.text}`{version}."
    )


def _source(column: Column) -> str:
    """Where the values are from; a pipe would end the cell."""
    text = ", else ".join(f"`{source}`" for source in column.sources).replace("|", "\\|")
    return f"{text}, as a fingerprint" if column.redact else text


if __name__ == "__main__":
    PAGE.write_text(tables())
