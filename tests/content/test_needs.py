"""The tables have the column types and the JSON members that Microsoft's content reads."""

from __future__ import annotations

import json

import pytest

from content.facts import ASIM, PARSER, TABLES, mapper_rows
from content.stories import demo
from sentinelone_source.mapping.spec.files import load_mappings


@pytest.mark.parametrize("name", [name for name, fact in PARSER.items() if "column" in fact])
def test_columns_have_the_parsers_types(name: str) -> None:
    """The parser's union does not split a column in two: the types are the same in every table."""
    fact = PARSER[name]
    for table in fact["tables"]:
        ours = TABLES[table][fact["column"]].replace("boolean", "bool")
        if "member" in fact:
            assert ours == "string"
        else:
            assert ours == fact["type"] or (fact["type"], ours) == ("string", "datetime")


def test_asim_finds_its_members() -> None:
    """The normalized view of alerts finds every member that it reads."""
    rows = mapper_rows(load_mappings()["alerts"], demo().records["alerts"])
    for column, members in ASIM["members"].items():
        known = set().union(*(json.loads(row[column]) for row in rows))
        assert set(members) <= known, column
