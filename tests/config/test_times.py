"""Durations and moments."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sentinelone_source.times import parse_duration, parse_http_date, parse_moment, to_iso


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("250ms", 0.25), ("90s", 90), ("1.5m", 90), ("24h", 86_400), (" 7d ", 604_800)],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is read as the seconds that it says."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "1 h", "-1s", "1h30m", "1w", "1S", "\u0661s\u0661"])
def test_no_durations(text: str) -> None:
    """Text that is no duration is an error."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36501d", "9" * 400 + "s"])
def test_endless_durations(text: str) -> None:
    """A duration that no moment can be that long ago is refused."""
    with pytest.raises(ValueError, match="is longer than 36500d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_moments_without_a_year(text: str) -> None:
    """A moment that lies before or after all years in UTC is a mistake like others."""
    with pytest.raises(ValueError, match="has no time in UTC"):
        parse_moment(text)


@given(st.integers(0, 253_402_300_799_999_999))
def test_moments_there_and_back(micros: int) -> None:
    """A moment that is written as text is read back as the same moment."""
    assert parse_moment(to_iso(micros)) == micros


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:01", "1970-01-01T00:00:01Z", "1970-01-01 01:00:01+01:00"]
)
def test_offsets(text: str) -> None:
    """A moment without an offset is UTC."""
    assert parse_moment(text) == 1_000_000


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2015 07:28:00 GMT", "21 Oct 2015 07:28:00 -0000"])
def test_http_date(text: str) -> None:
    """The date of a header is a moment, in both forms of its zone."""
    assert parse_http_date(text) == parse_moment("2015-10-21T07:28:00Z")


@example("Mon, 01 Jan 2024 00:00:00 +9" + "9" * 400)
@given(st.text(max_size=40))
def test_any_date(text: str) -> None:
    """An odd date of a header is no moment, and no error."""
    assert parse_http_date(text) is None or text
