"""What Microsoft's content and parser need, and the rows that a mapping makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.spec.model import ConsoleId

if TYPE_CHECKING:
    from sentinelone_source.mapping.spec.model import Mapping

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OUR_PARSER = ROOT / "deploy/azure/SentinelOne.kql"
NEEDS: dict[str, Any] = json.loads((HERE / "needs.json").read_text())
ITEMS: dict[str, dict[str, Any]] = NEEDS["items"]
ASIM: dict[str, Any] = NEEDS["asim"]
PARSER: dict[str, dict[str, Any]] = json.loads((HERE / "parser.json").read_text())["columns"]
TABLES: dict[str, dict[str, str]] = json.loads((HERE.parent / "mapping/tables.json").read_text())
PARSED = tuple(table for table in TABLES if table != "SentinelOneAlertsV2_CL")
"""The tables that the parsers read: theirs and ours know nothing of the unified alerts."""


def mapper_rows(mapping: Mapping, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that a mapping makes of API records."""
    mapper = Mapper(mapping)
    page = mapper.open(json.dumps({"data": records}).encode(), ConsoleId(None, None))
    lines = b"".join(piece.data for piece in mapper.lines(page)).splitlines()
    assert not page.dead
    return [json.loads(line) for line in lines]


def microsofts_parser() -> str:
    """What Microsoft's parser gives for rows of the five tables, written from `parser.json`."""
    branches = []
    for number, table in enumerate(PARSED):
        columns = [f"{name} = {_expression(fact, table)}" for name, fact in PARSER.items()]
        branches.append(f"let T{number} = {table} | project {', '.join(columns)};")
    return "\n".join([*branches, f"union {', '.join(f'T{n}' for n in range(len(PARSED)))}"])


def _expression(fact: dict[str, Any], table: str) -> str:
    if "constant" in fact:
        return f"'{fact['constant']}'"
    if "table_name" in fact:
        return f"'{table}'"
    if table not in fact.get("tables", []):
        return "''" if fact["type"] == "string" else f"{fact['type']}(null)"
    if "member" in fact:
        return f"tostring(todynamic({fact['column']}).{fact['member']})"
    as_text = fact["type"] == "string" and TABLES[table][fact["column"]] == "datetime"
    return f"tostring({fact['column']})" if as_text else str(fact["column"])
