"""A record that is not valid JSON costs itself and nothing else; half a page is none."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mapping.helpers import ALL, CONSOLE, mapper, record, run
from mapping.worlds import nested
from sentinelone_source.mapping.page_reader import NotAPage
from sentinelone_source.mapping.redaction import Redactor

TOKENS = [
    *("NaN", "-Infinity", "01", "1.", ".5", "+1", "0x1", "1e", "tru", "undefined", "'x'", "[1,]"),
    *('"\\x"', '"\\u12"', '"\t"', '"\n"', '"\0"', '{"a" 1}', "{a:1}", "{,}", "[1 2]", "[", "}"),
    *('"', "}]", "]},{", "]", '{"a":[{}, {"id"', '"],"pagination":{"nextCursor":"lure"}}'),
    *("[{},{}", '["]}",{"x":"\\"]}"},{"y":1}', "[" * 5_000 + "x" + "]" * 5_000),
]
LISTS = {"l": [{"id": "n", "at": "2026-03-14"}, {"s": '"]},{,"}], '}, [[{}], []]]}
MAPPER = mapper(ALL)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("token", TOKENS, ids=lambda token: ascii(token)[:20])
def test_an_invalid_token_costs_its_record(token: str, indent: int | None) -> None:
    """The other records make rows, the cursor is found, the broken text is a dead letter."""
    for places in ((0,), (1,), (3,), (0, 1), (1, 3), (0, 1, 2, 3)):
        records = [record(id=str(number), value=LISTS) for number in range(4)]
        for place in places:
            records[place]["value"] = {"a": LISTS, "b": "HERE", "c": LISTS}
        page = {"data": records, "pagination": {"nextCursor": "next", "errors": []}}
        body = json.dumps(page, indent=indent).replace('"HERE"', token).encode()
        opened, _ = run(MAPPER, body)
        assert opened.cursor == "next"
        keys = [key for key in opened.keys if key != "n"]  # what the token made a record of its own
        assert keys == [str(place) for place in range(4) if place not in places]
        assert b"".join(d.raw for d in opened.dead).count(b'"b"') == len(places)
        assert all("JSON" in d.reason or d.reason == "nested too deep" for d in opened.dead)


@given(st.data())
def test_any_corruption_inside_a_record(data: st.DataObject) -> None:
    """Whatever a record's bytes are, the records beside it make their rows."""
    records = [
        record(id=str(n), value=value)
        for n, value in enumerate(data.draw(st.lists(nested, min_size=2, max_size=5)))
    ]
    body = json.dumps({"data": records, "pagination": {"nextCursor": "c"}}).encode()
    texts = [json.dumps(one).encode() for one in records]
    place = data.draw(st.integers(0, len(texts) - 1))
    begin = body.index(b"[") + 1 + sum(len(text) + 2 for text in texts[:place])
    first = begin + data.draw(st.integers(1, len(texts[place]) - 1))
    last = data.draw(st.integers(first, begin + len(texts[place])))
    patch = data.draw(st.one_of(st.sampled_from(TOKENS[:-1]).map(str.encode), st.binary()))
    others = [str(n) for n in range(len(records)) if n != place]
    opened, _ = run(MAPPER, body[:first] + patch + body[last:])
    assert [key for key in opened.keys if key in others] == others
    assert opened.cursor == "c"


@given(st.lists(nested, max_size=4), st.booleans(), st.data())
@example([LISTS, LISTS], True, None)
@example(['"]},{"id":"9","at":"2026-03-14"}],"pagination":{}}', LISTS], False, None)
def test_a_page_cut_off_is_no_page(
    values: list[Any], spaced: bool, data: st.DataObject | None
) -> None:
    """Wherever a page ends too early, it is read again; its records become no dead letters."""
    records = [record(id=str(n), value=value) for n, value in enumerate(values)]
    separators = (", ", ": ") if spaced else (",", ":")
    page = json.dumps({"data": records, "pagination": {}}, separators=separators).encode()
    places = range(len(page)) if data is None else [data.draw(st.integers(0, len(page) - 1))]
    for place in places:
        with pytest.raises(NotAPage):
            MAPPER.open(page[:place], CONSOLE)


@pytest.mark.parametrize("stray", ["", '"', '\\"', "\n", "\0"], ids=ascii)
def test_a_broken_record_keeps_its_secrets(stray: str) -> None:
    """Wherever a record is cut off or lacks a character, no part of a secret is kept."""
    whole = (
        f'{{"id":"1","apiToken" : "S{stray}ECRET","n":{{"passphrase":"SE{stray}CRET"}}}}'.encode()
    )
    redactor = Redactor(MAPPER.mapping)
    texts = [whole[:end] for end in range(len(whole))]
    texts += [whole[: quote.start()] + whole[quote.end() :] for quote in re.finditer(b'T"', whole)]
    for text in [whole, *texts]:
        assert not re.search(b"S|CRE", redactor.redact(text).partition(b"sha256")[0]), text
        assert not re.search(b"SE|EC|CRET", redactor.redact(text)), text
