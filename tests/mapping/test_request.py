"""What a mapping asks a console for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.helpers import document
from mapping.test_hostile import HOSTILE
from sentinelone_source.mapping.request import page_requests
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.mapping.spec.schema import build

if TYPE_CHECKING:
    from sentinelone_source.mapping.request import PageRequest

START, END = 1_764_374_400_123_456, 1_764_374_400_123_457
UNIFIED = load_mappings()["alertsv2"]


def of(body: dict[str, Any], start: int | None, until: int | None = None) -> PageRequest:
    """The request of a mapping with this body."""
    walk = {"id": "$.id", "position": "$.at"}
    request = {"path": "tests", "body": {"a": "{cursor}", "b": "{page_size}", "c": "{from}"} | body}
    over = document({}, walk=walk, request=request)
    [request_] = page_requests(build("tests", over, "tests.toml"), start, until)
    return request_


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("{until}", None),
        ("{scope_type}!", "{scope_type}!"),
        ({"x": 1, "y": "{until}"}, {"x": 1}),
        ({"y": {"z": "{until}"}}, None),
        ([{"x": 1, "y": "{until}"}, {"x": 2, "y": "{from_ms}"}, "{until_ms}", 3], "two"),
        ([{"x": 1, "y": "{site_ids}"}], None),
        ([], []),
        ({}, {}),
        (False, False),
    ],
    ids=str,
)
def test_a_place_without_a_value(value: Any, left: Any) -> None:
    """A place without a value is left out, with what it leaves meaningless; the rest stays."""
    sent = of({"value": value}, START).document({})
    if left == "two":
        left = [{"x": 2, "y": START // 1000}, 3]
    assert sent.pop("value", None) == left
    assert sent == {"b": 1000, "c": "2025-11-29T00:00:00.123456Z"}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_texts_of_a_body_are_data(text: str) -> None:
    """Whatever a text of a body is, it is sent as it is, and no part of it is replaced."""
    for body in ({"value": text}, {"value": [text]}, {"value": {text: text}}):
        assert of(body, START).document({})["value"] == body["value"]


@given(st.integers(0, 1 << 52), st.integers(1, 1 << 40))
def test_milliseconds_lose_nothing(start: int, length: int) -> None:
    """Bounds in milliseconds hold every position between the microseconds, and hardly any other."""
    body = {"low": "{from_ms}", "high": "{until_ms}", "text": "{until}"}
    sent = of(body, start, start + length).document({})
    assert start - 1000 < sent["low"] * 1000 <= start
    assert start + length <= sent["high"] * 1000 < start + length + 1000
    whole = datetime.fromisoformat(sent["c"]) - datetime(1970, 1, 1, tzinfo=UTC)
    assert whole.total_seconds() * 1_000_000 == pytest.approx(start)


def test_every_pass_has_the_same_positions() -> None:
    """The passes differ in the filter for confidence alone, on every page."""
    informational, others = (
        one.following("next").sized(9).document({"site_ids": ["1"], "account_ids": ["2"]})
        for one in page_requests(UNIFIED, START, END)
    )
    only, *same = reversed(informational["variables"]["filters"])
    assert only == {"fieldId": "confidenceLevel", "stringEqual": {"value": "INFORMATIONAL"}}
    assert same == others["variables"]["filters"]
    span = {"start": START // 1000, "startInclusive": True, "end": START // 1000 + 1}
    assert same == [{"fieldId": "updatedAt", "dateTimeRange": span}]
    variables = others["variables"]
    assert (variables["after"], variables["first"]) == ("next", 9)
    assert variables["scope"] == {"scopeIds": ["1"], "scopeType": "SITE"}
