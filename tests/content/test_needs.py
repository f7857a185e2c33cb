"""Rows hold what Microsoft's content reads: columns, types, members of JSON text, and sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from content.facts import ASIM, ITEMS, PARSER, SPELLINGS, TABLES, mapper_rows
from content.stories import Story, cases, demo
from sentinelone_source.mapping.spec.files import load_mappings

ACTIVITIES = "SentinelOneActivities_CL"
# Items that look at activities of several types, or find theirs by what is said.
TYPES = {
    "rules/ExclusionAdded": [3001],
    "workbook/AdminActivities": [27],
    "workbook/Summary": [27, 3608],
}


@cache
def rows_of(story: Callable[[], Story]) -> dict[str, list[dict[str, Any]]]:
    """A story's rows by table."""
    told = story()
    mappings = load_mappings().items()
    return {mapping.table: mapper_rows(mapping, told.records[name]) for name, mapping in mappings}


def value_of(row: dict[str, Any], need: str) -> Any:
    """A column's value, or a member's by the name that the content reads or another spelling."""
    column, _, member = need.partition(".")
    if not member:
        return row.get(column)
    data = json.loads(row.get(column, "null")) or {}
    found = [data.get(name) for name in (member, *SPELLINGS.get(member, []))]
    return next((value for value in found if value not in (None, "")), None)


@pytest.mark.parametrize("story", [demo, cases], ids=["demo", "cases"])
@pytest.mark.parametrize("item", ITEMS)
def test_rows_hold_what_an_item_needs(item: str, story: Callable[[], Story]) -> None:
    """A rule would wait for a column, a member or a sentence that never comes."""
    facts = ITEMS[item]
    types = TYPES.get(item, facts["activity_types"])
    for table, needs in facts["tables"].items():
        rows = rows_of(story)[table]
        if table == ACTIVITIES and types:
            rows = [row for row in rows if row["ActivityType"] in types]
            assert {row["ActivityType"] for row in rows} == set(types)
            for pattern in facts["text"]:
                assert all(re.search(pattern, row["PrimaryDescription"]) for row in rows)
        for need in needs:
            column = need.partition(".")[0]
            assert column in TABLES[table]
            assert any(value_of(row, need) not in (None, "") for row in rows), need


@pytest.mark.parametrize("name", [name for name, fact in PARSER.items() if "column" in fact])
def test_columns_have_the_parsers_types(name: str) -> None:
    """The parser's union would split a column in two, and every query on it would fail."""
    fact = PARSER[name]
    for table in fact["tables"]:
        ours = TABLES[table][fact["column"]].replace("boolean", "bool")
        if "member" in fact:
            assert ours == "string"
        else:
            assert ours == fact["type"] or (fact["type"], ours) == ("string", "datetime")


@pytest.mark.parametrize("column", ASIM["members"])
def test_asim_finds_its_members(column: str) -> None:
    """The normalized view of alerts would be empty where the console has told something."""
    told = [json.loads(row[column]) for row in rows_of(demo)["SentinelOneAlerts_CL"]]
    known = set().union(*told)
    assert set(ASIM["members"][column]) <= known
