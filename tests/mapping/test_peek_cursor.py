"""The next cursor, seen at the end of a page without reading it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.helpers import CONSOLE, mapper

MAPPER = mapper()
LURES = [
    ',"pagination":{"nextCursor":"lure"}}',
    '{"pagination":{"nextCursor":"lure"}}',
    '"pagination":{"nextCursor":"lure"}}',
    ',\\"pagination\\":{}}',
]
texts = st.one_of(st.sampled_from([*LURES, "pagination", "nextCursor"]), st.text(max_size=5))
values = st.recursive(
    st.one_of(st.none(), st.integers(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(texts, inner, max_size=3),
        st.fixed_dictionaries({"pagination": st.fixed_dictionaries({"nextCursor": inner})}),
    ),
    max_leaves=8,
)
paginations = st.fixed_dictionaries(
    {"nextCursor": st.one_of(st.none(), texts)}, optional={"totalItems": values, "x": texts}
)
pages = st.fixed_dictionaries(
    {"data": st.lists(st.dictionaries(texts, values, max_size=3), max_size=3)},
    optional={"pagination": paginations, "errors": values, "meta": values},
)


@given(pages, st.permutations(["data", "pagination", "errors", "meta"]), st.booleans())
def test_it_is_the_cursor_or_nothing(page: dict[str, Any], order: list[str], spaced: bool) -> None:
    """The cursor that is seen ahead is the page's own, or none is seen."""
    page = {name: page[name] for name in order if name in page}
    body = json.dumps(page, indent=1 if spaced else None, ensure_ascii=False)
    seen = MAPPER.peek_cursor(body.encode("utf-8", "replace"))
    assert not seen or seen == MAPPER.open(body.encode("utf-8", "replace"), CONSOLE).cursor


@pytest.mark.parametrize(
    ("body", "cursor"),
    [
        (b'{"data":[],"pagination":{"nextCursor":"a%3D","totalItems":7}}', "a%3D"),
        (b'{"data":[],"pagination":{"totalItems":7,"nextCursor":"a"}}\n', "a"),
        (b'{"pagination" : { "nextCursor" : "a" } }', "a"),
        (b'{"data":["%b"],"pagination":{"nextCursor":"a"}}' % (b"x" * 9000), "a"),
        (b'{"pagination":{"nextCursor":"a"},"data":[]}', None),
        (b'{"data":[{"pagination":{"nextCursor":"a"}}]}', None),
        (b'{"data":[],"pagination":{"nextCursor":null}}', None),
        (b'{"data":[],"pagination":{"nextCursor":7}}', None),
        (b'{"data":[],"pagination":{"nextCursor":nul}}', None),
        (b'{"data":[],"pagination":{}}', None),
        (b"", None),
    ],
)
def test_where_it_is_seen(body: bytes, cursor: str | None) -> None:
    """A cursor is seen ahead only in the pagination at the end of a page."""
    assert MAPPER.peek_cursor(body) == cursor
