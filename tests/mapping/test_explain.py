"""`map --explain`: what a mapping makes of records, and what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mapping.helpers import CONSOLE, mapper, page_of, record
from sentinelone_source.mapping.explain import ColumnUse, Explanation, Field, explain
from sentinelone_source.mapping.page_reader import NotAPage
from sentinelone_source.mapping.versions import Savings

if TYPE_CHECKING:
    from mapping.helpers import Columns


def explained(columns: Columns, *records: Any, **over: Any) -> Explanation:
    return explain(mapper(columns, **over), [page_of(*records)], CONSOLE)


def test_columns_are_counted() -> None:
    """Filled and unfit values are counted for each column, also where there are none."""
    columns = {"Count": {"path": "$.count", "type": "long"}, "Gone": ["$.gone", "$.away"]}
    records = [record(count=1), record(count="x"), record(count=None), record()]
    assert explained(columns, *records).columns == (
        ColumnUse("TimeGenerated", "datetime", ("$.at",), 4, 0),
        ColumnUse("Count", "long", ("$.count",), 1, 1),
        ColumnUse("Gone", "string", ("$.gone", "$.away"), 0, 0),
    )


def test_records_are_accounted_for() -> None:
    """Records, rows, dropped records and dead letters are counted apart."""
    drop = [{"path": "$.kind", "equals": "noise"}]
    counts = explained({}, record(), record(kind="noise"), {}, 7, record(), drop=drop)
    assert (counts.records, counts.rows, counts.dropped, counts.dead) == (5, 2, 1, 2)


def test_pages_are_added_up() -> None:
    """The counts of several pages are added up."""
    pages = [page_of(record(name="a"), record()), page_of(record(name="b", extra=1))]
    counts = explain(mapper({"Name": "$.name"}), pages, CONSOLE)
    assert (counts.records, counts.rows, counts.columns[1].filled) == (3, 3, 2)
    assert Field("$.extra", 1) in counts.unmapped


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({}, {"$.a.b": 2, "$.a.c[*].d": 1, "$.a.c[*].e": 1, "$.x y": 1, "$.n": 0}),
        ({"Whole": {"path": "$.a", "type": "json"}}, {"$.x y": 1, "$.n": 0}),
        ({"Text": "$.a"}, {"$.x y": 1, "$.n": 0}),
        ({"One": "$.a.b"}, {"$.a.c[*].d": 1, "$.a.c[*].e": 1, "$.x y": 1, "$.n": 0}),
        ({"Each": "$.a.c[*].d"}, {"$.a.b": 2, "$.a.c[*].e": 1, "$.x y": 1, "$.n": 0}),
        ({"Items": "$.a.c[*]"}, {"$.a.b": 2, "$.x y": 1, "$.n": 0}),
        ({"First": "$.a.c[0]"}, {"$.a.b": 2, "$.x y": 1, "$.n": 0}),
        ({"Some": "$.a.c[?(@.d > 1)].e"}, {"$.a.b": 2, "$.a.c[*].d": 1, "$.x y": 1, "$.n": 0}),
        ({"Below": "$..d"}, {"$.a.b": 2, "$.a.c[*].e": 1, "$.x y": 1, "$.n": 0}),
        ({"Either": ["$.a.b", "$.n", "$.['x y']"]}, {"$.a.c[*].d": 1, "$.a.c[*].e": 1}),
        ({"All": {"path": "$", "type": "json"}}, {}),
    ],
    ids=str,
)
def test_fields_that_no_column_takes(columns: Columns, wanted: dict[str, int]) -> None:
    """A field that no column takes is listed with its number of records."""
    records = [
        record(a={"b": 1, "c": [{"d": 1, "e": None}, {"d": 2, "e": "x"}]}, n=None),
        record(a={"b": 2, "c": []}, **{"x y": 1}),
    ]
    found = explained(columns, *records).unmapped
    wanted = {path.replace("$.x y", "$['x y']"): number for path, number in wanted.items()}
    left = {field.path: field.records for field in found}
    assert {path: left[path] for path in left if path not in ("$.id", "$.a.c")} == wanted


def test_walk_and_drop_are_no_columns() -> None:
    """A field that only orders or drops records is listed as one that no column takes."""
    drop = [{"path": "$.kind", "equals": "noise"}]
    paths = [field.path for field in explained({}, record(kind="news"), drop=drop).unmapped]
    assert paths == ["$.id", "$.kind"]


def test_records_that_cannot_be_read_do_not_count() -> None:
    """A record nested too deep is a dead letter, and fields of the others are counted."""
    deep = page_of(record(value="HERE"), record(extra=1)).replace(
        b'"HERE"', b"[" * 100_000 + b"]" * 100_000
    )
    counts = explain(mapper(), [deep], CONSOLE)
    assert (counts.dead, counts.unmapped) == (1, (Field("$.extra", 1), Field("$.id", 1)))


def test_what_is_no_page() -> None:
    """What is no page is an error."""
    with pytest.raises(NotAPage):
        explain(mapper(), [b"<html>"], CONSOLE)


def test_text() -> None:
    """The text is a table of the columns and one of the fields that no column takes."""
    columns = {"Count": {"path": "$.count", "type": "long"}, "Name": ["$.name", "$.title"]}
    records = [record(count=1, extra=1, note=None), record(count="x")]
    assert str(explained(columns, *records)) == (
        "Test_CL: 2 records, 2 rows, 0 dropped, 0 dead letters\n"
        "\n"
        "column         type      filled  did not fit  from\n"
        "-------------  --------  ------  -----------  ---------------\n"
        "TimeGenerated  datetime  2 of 2               $.at\n"
        "Count          long      1 of 2  1            $.count\n"
        "Name           string    never                $.name, $.title\n"
        "\n"
        "field that no column takes  records\n"
        "--------------------------  -----------\n"
        "$.extra                     1\n"
        "$.id                        2\n"
        "$.note                      always null"
    )


def test_text_when_nothing_is_left() -> None:
    """When columns take every field, the text says so."""
    text = str(explained({"All": {"path": "$", "type": "json"}}, record()))
    assert text.endswith("\n\nEvery field of the API is taken by a column.")


def test_what_changes_and_what_a_heartbeat_saves() -> None:
    """Two downloads of the same agents show what changed, and the bytes that a heartbeat saves.

    The older one comes last in the file; a version that is in both counts once.
    """
    hours = {"a": (12, 12), "b": (12, 11), "c": (12, 11)}
    downloads = [
        [
            record(id=one, at=f"2026-03-1{3 + n}T{hour[n]}:00:00Z", name=f"x{n * (one == 'c')}")
            for one, hour in hours.items()
        ]
        for n in (1, 0)
    ]
    walk = {"id": "$.id", "version": "$.at", "position": "$.at", "filter": "a", "sort_by": "a"}
    columns = {"Id": "$.id", "Name": "$.name"}
    maps = mapper(columns, walk={**walk, "volatile": ["TimeGenerated"]})
    pages = [page_of(*records, downloads[0][0]) for records in downloads]
    found = explain(maps, pages, CONSOLE)
    size = found.savings.bytes // 6 if found.savings else 0
    assert found.savings == Savings(6, 6 * size, 1, size)
    assert {one.name: one.changed for one in found.columns} == {
        "TimeGenerated": 3,
        "Id": 0,
        "Name": 1,
    }
