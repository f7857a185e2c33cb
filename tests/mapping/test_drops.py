"""`[[drop]]`: records that never become rows."""

from __future__ import annotations

from typing import Any

import pytest

from mapping.helpers import mapper, page_of, record, run

VALUES = [90, "90", 90.0, True, None, "", "abc", [90, "x"], {"a": 1}, 91]


def dropped(*drops: dict[str, Any], records: list[dict[str, Any]]) -> list[bool]:
    """Which of some records are dropped."""
    numbered = [{**one, "id": str(number)} for number, one in enumerate(records)]
    page, rows = run(mapper({"Number": "$.id"}, drop=list(drops)), page_of(*numbered))
    kept = {row["Number"] for row in rows}
    assert not page.dead
    assert page.dropped == len(records) - len(rows)
    assert len(page.keys) == len(page.positions) == len(rows)
    return [one["id"] not in kept for one in numbered]


def hits(**test: Any) -> list[Any]:
    """Which of VALUES a condition on `$.v` drops."""
    records = [record(v=value) for value in VALUES]
    found = dropped({"path": "$.v", **test}, records=records)
    return [value for value, hit in zip(VALUES, found, strict=True) if hit]


@pytest.mark.parametrize(
    ("test", "wanted"),
    [
        ({"equals": 90}, [90, 90.0]),
        ({"equals": "90"}, ["90"]),
        ({"equals": True}, [True]),
        ({"equals": ""}, [""]),
        ({"in": [90, 91, "abc"]}, [90, 90.0, "abc", 91]),
        ({"in": []}, []),
        ({"not_in": [90, 91]}, ["90", True, None, "", "abc", [90, "x"], {"a": 1}]),
        ({"matches": "^9"}, [90, "90", 90.0, 91]),
        ({"matches": "b"}, ["abc"]),
        ({"matches": "true"}, [True]),
        ({"matches": ""}, [value for value in VALUES if value is not None]),
        ({"exists": True}, [value for value in VALUES if value is not None]),
        ({"exists": False}, [None]),
        ({"matches": "^9", "not_in": [91]}, [90, "90", 90.0]),
    ],
    ids=str,
)
def test_conditions(test: dict[str, Any], wanted: list[Any]) -> None:
    """A condition drops the records whose value meets it, and no others."""
    found = hits(**test)
    assert found == wanted
    assert [type(value) for value in found] == [type(value) for value in wanted]


def test_missing_members() -> None:
    """A record without the field is treated as one whose value is null."""
    records = [record(), record(v=None), record(v={"w": 1}), record(v=7)]
    assert dropped({"path": "$.v.w", "exists": False}, records=records) == [True, True, False, True]
    assert dropped({"path": "$.v.w", "not_in": [1]}, records=records) == [True, True, False, True]
    assert dropped({"path": "$.v.w", "equals": 1}, records=records) == [False, False, True, False]


def test_any_match_of_a_path_with_many() -> None:
    """On a list `equals` holds if it holds for any item, `not_in` if no item is in it."""
    records = [record(v=[1, 2]), record(v=[3]), record(v=[])]
    assert dropped({"path": "$.v[*]", "equals": 2}, records=records) == [True, False, False]
    assert dropped({"path": "$.v[*]", "not_in": [2]}, records=records) == [False, True, True]


def test_all_conditions_of_one_drop_and_any_of_several() -> None:
    """A drop needs all of its conditions; of several drops one is enough."""
    records = [record(a=a, b=b) for a in (1, 2) for b in (1, 2)]
    one, two = {"path": "$.a", "equals": 1}, {"path": "$.b", "equals": 1}
    assert dropped({**one, "all": [two]}, records=records) == [True, False, False, False]
    assert dropped(one, two, records=records) == [True, True, True, False]


def test_dropped_before_anything_else() -> None:
    """A dropped record is no dead letter, and its values are no misfits."""
    drop = [{"path": "$.kind", "equals": "noise"}]
    columns = {"Count": {"path": "$.count", "type": "long"}}
    page, rows = run(mapper(columns, drop=drop), page_of({"kind": "noise", "count": "x"}, record()))
    assert (page.dropped, len(page.dead), len(rows)) == (1, 0, 1)
    assert not page.misfits


def test_a_condition_that_cannot_be_evaluated_finds_nothing() -> None:
    """A condition that cannot be evaluated on a record finds nothing there."""
    records = [record(v=[{"n": 1}, {"n": "x"}]), record(v=[{"n": 2}, {"n": 1}])]
    assert dropped({"path": "$.v[/n]", "exists": True}, records=records) == [False, True]
    assert dropped({"path": "$.v[/n]", "exists": False}, records=records) == [True, False]


def test_drops_on_the_whole_record() -> None:
    """A drop can search the whole record."""
    records = [record(v={"deep": {"flag": "x"}}), record(flag="x"), record(v=1)]
    assert dropped({"path": "$..flag", "exists": True}, records=records) == [True, True, False]


def test_drops_beside_columns_on_the_same_part() -> None:
    """A drop leaves a column that reads the same field as it is."""
    drop = [{"path": "$.info.kind", "equals": "noise"}]
    columns = {"Kind": "$.info.kind", "Info": {"path": "$.info", "type": "json"}}
    infos = [{"kind": "noise"}, {"kind": "news"}, {"kind": 7}, None]
    _, rows = run(mapper(columns, drop=drop), page_of(*(record(info=info) for info in infos)))
    assert [row.get("Kind") for row in rows] == ["news", "7", None]
    assert [row.get("Info") for row in rows] == ['{"kind":"news"}', '{"kind":7}', None]
