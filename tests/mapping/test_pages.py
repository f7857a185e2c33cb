"""Pages that are not as a page should be, and records that become no row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mapping.helpers import ALL, CONSOLE, document, mapper, page_of, record, rows_of, run
from sentinelone_source.mapping.page_reader import NotAPage


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>Too many requests</html>",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":"x"}',
        b'{"errors":[{"code":4030010}]}',
        b'{"data":[{"id":"1"',
        b'{"data":[{"id":"1"}]',
        b'{"data":[]} trailing',
        b'{"data":[],"pagination":{"nextCursor":7}}',
        b'\xef\xbb\xbf{"data":[]}',
        b"[" * 100_000,
        b'{"data":[' + b"[" * 100_000,
        b'{"data":[' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"data":[' + b"[" * 100_000 + b"]" * 100_000 + b"],}",
        b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b',"data":{}}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_no_page(body: bytes) -> None:
    """An answer that is not a whole page is an error."""
    with pytest.raises(NotAPage):
        mapper().open(body, CONSOLE)


@pytest.mark.parametrize(
    ("pagination", "cursor"),
    [
        (b'{"nextCursor":"abc="}', "abc="),
        (b'{"nextCursor":null}', None),
        (b'{"nextCursor":""}', None),
        (b"{}", None),
        (b"null", None),
    ],
)
def test_cursor(pagination: bytes, cursor: str | None) -> None:
    """The cursor is the page's `nextCursor`, before or after the records; an empty one is none."""
    assert mapper().open(b'{"data":[],"pagination":%b}' % pagination, CONSOLE).cursor == cursor
    assert mapper().open(b'{"pagination":%b,"data":[]}' % pagination, CONSOLE).cursor == cursor


def test_a_page_with_records_alone() -> None:
    """A page without pagination is the last one, and one without records makes no lines."""
    page, rows = run(mapper(), b'{"data":[]}')
    assert (page.cursor, rows) == (None, [])


def test_records_below_other_members() -> None:
    """The list of records can lie below several members."""
    deep = mapper(request={"path": "x", "records": "$.data.alerts.nodes"})
    body = json.dumps({"data": {"alerts": {"nodes": [record()]}}}).encode()
    assert len(run(deep, body)[1]) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (7, "not an object"),
        ("text", "not an object"),
        (None, "not an object"),
        ([], "not an object"),
        ({}, r"no id at \$.id"),
        ({"id": None, "at": "2026-03-14T12:00:00Z"}, r"no id at \$.id"),
        ({"id": "", "at": "2026-03-14T12:00:00Z"}, r"no id at \$.id"),
        ({"id": "1"}, r"no position at \$.at"),
        ({"id": "1", "at": None}, r"no position at \$.at"),
        ({"id": "1", "at": ""}, r"no position at \$.at"),
        ({"id": "1", "at": "None"}, r"no position at \$.at"),
        ({"id": "1", "at": 1773489600}, r"no position at \$.at"),
    ],
)
def test_dead_letters(bad: Any, reason: str) -> None:
    """A record that makes no row is a dead letter with its reason; its neighbours are rows."""
    page, rows = run(mapper(ALL), page_of(record(value=1), bad, record(value=2)))
    assert [row["Text"] for row in rows] == ["1", "2"]
    (dead,) = page.dead
    assert dead.reason == reason.replace("\\", "")
    assert json.loads(dead.raw) == bad
    assert len(page.keys) == len(page.positions) == 2


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_pretty_printed_pages(indent: int | str | None, newline: str) -> None:
    """White space of the page does not get into the rows."""
    value = {"a b": ["c  d", {"e": 1}], "\n": "\t \\u0020"}
    page = json.dumps({"data": [record(value=value)] * 3, "pagination": {}}, indent=indent)
    body = page.replace("\n", newline).encode()
    plain = {"Json": ALL["Json"], "Dynamic": ALL["Dynamic"]}
    for columns in (plain, {**plain, "All": {"path": "$..e", "type": "json"}}):
        opened = mapper(columns).open(body, CONSOLE)
        (piece,) = mapper(columns).lines(opened)
        line = piece.data.splitlines()[0]
        wanted = json.dumps(value, separators=(",", ":"))
        assert f'"Dynamic":{wanted}'.encode() in line
        assert json.loads(line)["Json"] == wanted


def test_only_a_page_with_other_values_is_looked_at_text_by_text() -> None:
    """A number in a text column becomes text; until one comes, the faster code is used."""
    of_text = page_of(record(value="a", a={"b": "c"}), record(value=None))
    for other in ({"value": 7}, {"a": {"b": 7}}):
        texts = mapper({"Text": "$.value", "Nested": "$.a.b"})
        assert texts.open(of_text, CONSOLE).compiled is texts._strict
        page, rows = run(texts, page_of(record(value="a"), record(**other), record(a=None)))
        assert [list(row.values())[2:] for row in rows] == [["a"], ["7"], []]
        assert page.compiled is texts._tolerant
        assert texts.open(of_text, CONSOLE).compiled is texts._tolerant


def test_known_rows_are_not_handed_over_again() -> None:
    """A row that is known is not handed over again, and is counted."""
    versions = {"walk": {**document()["walk"], "version": "$.at"}}
    asked: list[tuple[list[str], list[int]]] = []

    def known(keys: list[str], positions: list[int]) -> set[str]:
        asked.append((keys, positions))
        return {"1@2026-03-14T12:00:00.589793Z"}

    records = [
        record(),
        {**record(), "id": "2"},
        {"id": "3"},
        {**record(), "at": "2026-03-15T12:00:00Z"},
    ]
    page, rows = run(mapper(**versions), page_of(*records), known)
    assert page.keys == ["2@2026-03-14T12:00:00.589793Z", "1@2026-03-15T12:00:00Z"]
    assert len(page.positions) == len(rows) == 2
    assert (page.suppressed, len(page.dead), page.dropped) == (1, 1, 0)
    assert len(asked[0][0]) == len(asked[0][1])


def test_a_row_comes_once_in_a_page() -> None:
    """A row that a page repeats is handed over once, where rows are remembered."""
    records = [{**record(), "id": str(number)} for number in (1, 2, 1, *range(3, 60), 2, 59)]
    test = mapper({"Id": "$.id"})
    page, rows = run(test, page_of(*records), lambda _keys, _positions: set())
    assert [row["Id"] for row in rows] == [str(number) for number in range(1, 60)]
    assert (len(page.keys), len(page.positions), page.suppressed) == (59, 59, 3)
    page, rows = run(test, page_of(*records))  # nobody keeps account of what was handed over
    assert (len(rows), page.suppressed) == (62, 0)


def test_rows_name_their_table_and_keep_the_mappings_order() -> None:
    """A row begins with its table, and its columns are in the mapping's order."""
    columns = {"Zeta": "$.z", "Alpha": "$.a", "Class": "$.class"}
    row = rows_of(mapper(columns), {"class": "c", "a": "a", "z": "z", **record()})[0]
    assert list(row) == ["_table", "TimeGenerated", "Zeta", "Alpha", "Class"]
    assert row["_table"] == "Test_CL"
