"""A Log Analytics workspace for tests: tables with a story's rows, a parser over them, and KQL."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb_kql
from duckdb_kql.engine import schema as tables_of

from content.facts import mapper_rows
from sentinelone_source.mapping.spec.files import load_mappings

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from duckdb import DuckDBPyRelation
    from duckdb_kql.translate import TranslationResult

    from content.stories import Story
    from sentinelone_source.mapping.spec.model import Mapping

_ENGINE = {"datetime": "TIMESTAMP", "real": "DOUBLE", "boolean": "BOOLEAN", "dynamic": "JSON"}
_DAYS = {"1h": "1 hour", "24h": "1 day", "14d": "14 days"}


class KqlWorkspace:
    """Tables as the mappings fill them, and a parser over them.

    Args:
        story: whose records are in the tables.
        mappings: a folder of a user's own files.
        parser: KQL of the function `SentinelOne`.
        without: tables that do not exist.
    """

    def __init__(self, story: Story, mappings: Path, parser: str, without: frozenset[str]) -> None:
        self._now = story.now
        self._connection = duckdb_kql.connect(config={"threads": 1})
        for name, mapping in load_mappings(mappings).items():
            if name in story.records and mapping.table not in without:
                self._fill(mapping, mapper_rows(mapping, story.records[name]))
        self._schema = json.dumps(tables_of(self._connection))
        self._run("SentinelOne()", f"function SentinelOne() {{\n{parser}\n}}").create("Parsed")
        self._show("100 years")
        self._schema = json.dumps(tables_of(self._connection))

    def _fill(self, mapping: Mapping, rows: list[dict[str, Any]]) -> None:
        columns = [f'"{c.name}" {_ENGINE.get(c.type, "VARCHAR")}' for c in mapping.columns]
        self._connection.execute(f"CREATE TABLE {mapping.table} ({', '.join(columns)})")
        for row in rows:
            table = row.pop("_table")
            values = [json.dumps(v) if isinstance(v, dict | list) else v for v in row.values()]
            marks = ", ".join("?" * len(row))
            self._connection.execute(
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", values
            )

    def ask(self, query: str, lookback: str | None = None) -> list[dict[str, Any]]:
        """The answer to KQL over `SentinelOne`, of the last hours or days only."""
        self._show(_DAYS[lookback] if lookback else "100 years")
        answer = self._run(query)
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]

    def _show(self, last: str) -> None:
        self._connection.execute(
            'CREATE OR REPLACE VIEW "SentinelOne" AS SELECT * FROM Parsed '
            f"WHERE TimeGenerated > '{self._now:%F %T}'::TIMESTAMP - INTERVAL {last}"
        )

    def _run(self, query: str, *functions: str) -> DuckDBPyRelation:
        sql = _translate(query, self._schema, self._now, functions)
        return self._connection.sql(sql, params=sql.parameters or None)


@cache
def _translate(
    query: str, schema: str, now: datetime, functions: tuple[str, ...]
) -> TranslationResult:
    """KQL as SQL; worth remembering, since reading KQL takes longer than running it."""
    return duckdb_kql.to_sql(query, json.loads(schema), query_now=now, functions=functions or None)
