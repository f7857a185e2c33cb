"""Records from a file, however somebody saved them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.helpers import mapper, page_of, record, run
from sentinelone_source.errors import SourceError
from sentinelone_source.mapping.record_files import pages

MAPPER = mapper({"Value": "$.value"})
TWO = [record(value="a"), record(value="é")]
DROPPING = mapper({"Value": "$.value"}, drop=[{"path": "$.drop", "exists": True}])
LINES = "\n".join(json.dumps(one) for one in TWO)


def values(data: bytes | str) -> list[Any]:
    """The values of all rows made of a file."""
    content = data.encode() if isinstance(data, str) else data
    bodies = pages(MAPPER.mapping, content, "file.json")
    return [row["Value"] for body in bodies for row in run(MAPPER, body)[1]]


FORMS = [
    *(
        page_of(*TWO),
        json.dumps({"data": TWO}, indent=2),
        page_of(TWO[0]) + b"\n" + page_of(TWO[1]),
    ),
    *(
        json.dumps(TWO),
        json.dumps(TWO, indent="\t"),
        json.dumps(TWO[:1]) + "\n" + json.dumps(TWO[1]),
    ),
    *(LINES, LINES + "\n\n", LINES.replace("\n", "\r\n"), "\ufeff" + LINES),
]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        *((form, ["a", "é"]) for form in FORMS),
        (json.dumps(TWO[1], indent=2), ["é"]),
        *((empty, []) for empty in ("", " \n", "[]", '{"data":[]}')),
    ],
)
def test_every_form(data: bytes | str, wanted: list[str]) -> None:
    """A file may hold pages, records, and lists of them, in one document or one a line."""
    assert values(data) == wanted


def test_many_records_make_many_pages() -> None:
    """A large file makes many pages."""
    lines = "\n".join(json.dumps(record(value=n)) for n in range(2500))
    assert values(lines) == [str(n) for n in range(2500)]
    assert len(list(pages(MAPPER.mapping, lines.encode(), "f"))) == 3


def test_mistakes_name_the_line() -> None:
    """An error names the line that is broken."""
    with pytest.raises(SourceError, match=r"file\.json: line 2: is not JSON: "):
        values(LINES.partition("\n")[0] + '\n{"id":\n')


RECORD = st.sampled_from(
    [
        {"id": "1", "at": "2026-03-14", "value": "a"},
        {"id": "2", "at": "2026-03-14", "data": []},
        {"id": "3", "at": "2026-03-14", "data": [{"id": "4", "at": "2026-03-14"}]},
        {"id": "5", "at": "2026-03-14", "data": {"data": [1]}, "pagination": {}},
        {"id": "6", "drop": True},
        {"at": "2026-03-14", "data": [{"id": "7", "at": "2026-03-14"}]},
        {"id": "8", "record": {"id": "9"}, "table": "Test_CL"},
        {},
        7,
        "text",
        None,
    ]
)
PAGE = st.lists(RECORD, max_size=4)


def as_page(records: list[Any]) -> dict[str, Any]:
    return {"data": records, "pagination": {"nextCursor": None, "totalItems": len(records)}}


@given(st.lists(PAGE, max_size=4), st.data())
def test_every_record_comes_out(groups: list[list[Any]], data: st.DataObject) -> None:
    """In every form of file a record becomes a row, a dead letter or a counted drop."""
    form = data.draw(st.sampled_from(["page", "list", "record", "pages", "lines", "mixed lines"]))
    records = [record for group in groups for record in group]
    shapes: list[Any] = [data.draw(st.sampled_from([as_page, list])) for _ in groups]
    forms: dict[str, list[Any]] = {
        "page": [as_page(records)],
        "list": [records],
        "record": records[:1],
        "pages": [[as_page(group) for group in groups]],
        "lines": records,
        "mixed lines": [shape(group) for shape, group in zip(shapes, groups, strict=True)],
    }
    wanted = records[:1] if form == "record" else records
    account = Counter[str]()
    file = "\n".join(json.dumps(document) for document in forms[form]).encode()
    for body in pages(DROPPING.mapping, file, "file"):
        page, rows = run(DROPPING, body)
        account.update(rows=len(rows), dead=len(page.dead), dropped=page.dropped)
    fit = [record for record in wanted if isinstance(record, dict) and "at" in record]
    assert account["rows"] == sum("id" in record for record in fit)
    assert account["dropped"] == wanted.count({"id": "6", "drop": True})
    assert account.total() == len(wanted)


def test_a_broken_record_in_a_page() -> None:
    """A record that is not JSON is a dead letter, and its neighbours in the page are rows."""
    for form in ('{"data":[%b,{"a":NaN}]}', '[{"a":NaN},%b]'):
        [body] = pages(MAPPER.mapping, form.encode() % json.dumps(TWO[0]).encode(), "file.json")
        page, rows = run(MAPPER, body)
        assert ([row["Value"] for row in rows], len(page.dead)) == (["a"], 1)


@pytest.mark.parametrize("form", ["{deep}\n{one}", '{{"data":[{deep},{one}]}}', "[{deep},{one}]"])
def test_a_record_too_deep_is_left_to_the_mapper(form: str) -> None:
    """A record that no decoder goes through is a dead letter, and its neighbours are rows."""
    nested = "[" * 100_000 + "]" * 100_000
    for deep in (f'{{"id":"1","at":"2026-03-14","value":{nested}}}', f'{{"data":{nested},"x":1}}'):
        file = form.format(deep=deep, one=json.dumps(TWO[0])).encode()
        [body] = pages(MAPPER.mapping, file, "file.json")
        page, rows = run(MAPPER, body)
        assert ([row["Value"] for row in rows], len(page.dead)) == (["a"], 1)
