"""The alert rule and the workbook that read health rows, on rows as the source makes them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sentinelone_source.mapping.spec.files import HEALTH
from support.templates import DEPLOY, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[[str], list[dict[str, Any]]]

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RULE = (DEPLOY / "health-rule.kql").read_text()
WORKBOOK = json.loads((DEPLOY / "workbook.json").read_text())
TILES = {item["name"]: item["content"]["query"] for item in WORKBOOK["items"] if item["type"] == 3}
TYPES = {"datetime": "TIMESTAMP", "real": "DOUBLE", "long": "BIGINT"}


def row(feed: str, minutes: float, **other: Any) -> dict[str, Any]:
    """A health row of so many minutes ago; all is well unless something else is said."""
    well = {"Console": "acme", "Table": f"SentinelOne{feed}_CL", "Version": "1", "Host": "here"}
    counts = {"Rows": 0, "Bytes": 0, "LateRows": 0, "SuppressedRows": 0, "DeadLetters": 0}
    time = {"TimeGenerated": NOW - timedelta(minutes=minutes)}
    return well | counts | time | {"Feed": feed, "Status": "up to date", "BehindSeconds": 0} | other


ROWS = [
    row("alerts", 8, Rows=3, Bytes=300),
    row("alerts", 3, Rows=2, Bytes=200, LateRows=1, DeadLetters=1),
    row("agents", 100, Status="refused", LastError="HTTP 403"),
    row("agents", 4, Rows=10, Bytes=1000, SuppressedRows=30),
    row("groups", 40),
    row("activities", 2, Status="retrying", BehindSeconds=4000, LastError="HTTP 502"),
    row("threats", 1, Status="refused", LastError="HTTP 403", Console="globex", Rows=1, Bytes=9),
    row("users", 1, TokenExpires=NOW - timedelta(days=1)),
    row("gone", 3 * 1440),
]


@pytest.fixture(scope="module")
def ask() -> Ask:
    """Asks a workspace with these rows."""
    kql = pytest.importorskip("duckdb_kql", reason="no engine for KQL on this machine")
    connection = kql.connect(config={"threads": 1})
    columns = [f'"{one.name}" {TYPES.get(one.type, "VARCHAR")}' for one in HEALTH.columns]
    connection.execute(f"CREATE TABLE {HEALTH.table} ({', '.join(columns)})")
    for values in ROWS:
        names, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" * len(values))
        plain = [v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in values.values()]
        connection.execute(f"INSERT INTO {HEALTH.table} ({names}) VALUES ({marks})", plain)
    from duckdb_kql.engine import schema

    def asked(query: str) -> list[dict[str, Any]]:
        sql = kql.to_sql(query, schema(connection), query_now=NOW)
        answer = connection.sql(sql, params=sql.parameters or None)
        return [dict(zip(answer.columns, found, strict=True)) for found in answer.fetchall()]

    return asked


def test_rule(ask: Ask) -> None:
    """The rule names feeds that are silent, refused or behind, and none that is well."""
    found = {one["Feed"]: (one["Console"], one["Problem"]) for one in ask(RULE)}
    assert found == {
        "groups": ("acme", "silent"),
        "activities": ("acme", "behind"),
        "threats": ("globex", "refused"),
        "users": ("acme", "token expired"),
    }


ANSWERS: dict[str, dict[tuple[str, ...], tuple[Any, ...]]] = {
    "now": {
        ("agents",): ("up to date",),
        ("activities",): ("retrying",),
        ("gone",): ("up to date",),
    },
    "totals": {
        ("acme", "SentinelOneagents_CL"): (10, 1000),
        ("acme", "SentinelOnealerts_CL"): (5, 500),
    },
    "rows": {("SentinelOnealerts_CL",): (5,), ("SentinelOneagents_CL",): (10,)},
    "bytes": {("globex",): (9,)},
    "behind": {("activities",): (4000,)},
    "late": {("alerts",): (1,)},
    "dead": {("acme", "alerts"): (1,)},
    "saved": {("acme", "agents"): (10, 30, 75.0)},
}


@pytest.mark.parametrize("tile", TILES)
def test_workbook(tile: str, ask: Ask) -> None:
    """Every tile of the workbook has an answer, with the values of the rows."""
    found = [tuple(one.values()) for one in ask(TILES[tile])]
    assert found
    for keys, values in ANSWERS[tile].items():
        assert any({*keys, *values} <= set(one) for one in found), (keys, found)
    if tile in ("late", "dead", "saved"):
        assert len(found) == len(ANSWERS[tile])


def test_deployment() -> None:
    """The Bicep file deploys the query and the workbook of these files."""
    template = parse("bicep", (DEPLOY / "health.bicep").read_text())
    [rule], [workbook] = template.of("alertRules"), template.of("workbooks")
    assert rule.body["properties"]["query"] == RULE
    assert rule.body["properties"]["queryPeriod"] == "P2D"
    assert set(rule.body["properties"]["customDetails"].values()) <= set(re.findall(r"\w+", RULE))
    assert json.loads(workbook.body["properties"]["serializedData"]) == WORKBOOK
