"""`aliases`: members of an object under further names, for those who read them by another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mapping.helpers import mapper, record, rows_of
from sentinelone_source.mapping.spec.files import load_mappings

if TYPE_CHECKING:
    from pathlib import Path

ALIASES = {"userName": "username", "rulename": "ruleName"}


def data_of(data: Any, aliases: dict[str, str] | None = None) -> Any:
    """What becomes of a value in a `json` column with aliases; None when it is left out."""
    column = {"path": "$.data", "type": "json", "aliases": ALIASES if aliases is None else aliases}
    [row] = rows_of(mapper({"Data": column}), record(data=data))
    return json.loads(row["Data"]) if "Data" in row else None


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({"username": "Femke"}, {"username": "Femke", "userName": "Femke"}),
        ({"userName": "Femke"}, {"userName": "Femke"}),
        ({"userName": "Femke", "username": "Jan"}, {"userName": "Femke", "username": "Jan"}),
        ({"userName": None, "username": "Jan"}, {"userName": "Jan", "username": "Jan"}),
        ({"userName": "", "username": "Jan"}, {"userName": "Jan", "username": "Jan"}),
        ({"username": None, "a": 1}, {"username": None, "a": 1}),
        ({"username": "", "a": 1}, {"username": "", "a": 1}),
        ({"ruleName": "R", "n": 0}, {"ruleName": "R", "n": 0, "rulename": "R"}),
        ({"username": {"n": [1]}}, {"username": {"n": [1]}, "userName": {"n": [1]}}),
        ({"username": False}, {"username": False, "userName": False}),
        ({"below": {"username": "Jan"}}, {"below": {"username": "Jan"}}),
        ([{"username": "Jan"}], [{"username": "Jan"}]),
        ("username", "username"),
        ({}, {}),
        (None, None),
    ],
)
def test_aliases(data: Any, wanted: Any) -> None:
    """An alias is filled where it is missing or empty and the other name has a value."""
    assert data_of(data) == wanted


def test_aliases_are_of_what_the_console_sent() -> None:
    """An alias copies what the console sent, never what another alias put there."""
    assert data_of({"a": "A"}, {"b": "a", "c": "b"}) == {"a": "A", "b": "A"}
    assert data_of({"a": "A"}, {"b": "a", "a": "b"}) == {"a": "A", "b": "A"}


def test_digits_and_text_survive() -> None:
    """Numbers and characters stay as they came when an alias is added."""
    column = {"path": "$.data", "type": "json", "aliases": ALIASES}
    data = {"username": "Zoë \x00", "n": 2339104998127733001, "big": 10**30}
    [row] = rows_of(mapper({"Data": column}), record(data=data))
    assert row["Data"] == (
        '{"username":"Zoë \\u0000","n":2339104998127733001,"big":1' + "0" * 30 + ","
        '"userName":"Zoë \\u0000"}'
    )


def test_without_aliases_nothing_is_decoded() -> None:
    """A column without aliases has the same code as if the option did not exist."""
    plain = mapper({"Data": {"path": "$.data", "type": "json"}})
    empty = mapper({"Data": {"path": "$.data", "type": "json", "aliases": {}}})
    assert empty.code == plain.code


def test_a_user_adds_them_to_a_built_in_column(tmp_path: Path) -> None:
    """A user's file adds aliases to a built-in column, whose path and type stay."""
    (tmp_path / "mine.toml").write_text(
        'table = "SentinelOneActivities_CL"\n'
        "[columns]\n"
        'Data = { aliases = { userName = "username", rulename = "ruleName" } }\n'
    )
    [data] = [c for c in load_mappings(tmp_path)["activities"].columns if c.name == "Data"]
    assert (data.type, data.paths[0].text) == ("json", "$.data")
    assert dict(data.aliases) == ALIASES
    assert not any(column.aliases for m in load_mappings().values() for column in m.columns)
