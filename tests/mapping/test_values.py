"""What each column type makes of the values that tend to go wrong."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest

from mapping.helpers import document, mapper, page_of, record, rows_of, run, value_of
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.rows.convert import DoesNotFit
from sentinelone_source.mapping.rows.types import TYPES, ColumnType, Reads
from sentinelone_source.mapping.spec.schema import build

EVERY_TYPE = sorted(TYPES)


@pytest.mark.parametrize("fraction", ["", ".1", ".12", ".123", ".123456", ".123456789"])
@pytest.mark.parametrize("zone", ["", "Z", "+02:00", "-0530"])
def test_datetimes_pass_as_they_came(fraction: str, zone: str) -> None:
    """A time is passed on as it came."""
    for text in (f"2026-03-14T12:00:00{fraction}{zone}", f"0001-01-01 00:00:00{fraction}{zone}"):
        assert value_of("datetime", text) == text


@pytest.mark.parametrize("text", ["2026-03-14t12:00:00z", "2026-03-14", "1970-01-01T00:00:00Z"])
def test_unusual_datetimes_pass_as_they_came(text: str) -> None:
    """A date, and a time with small letters, are passed on as they came."""
    assert value_of("datetime", text) == text


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-03-14T12:00:00Z", 1773489600_000000),
        ("2026-03-14T12:00:00.5Z", 1773489600_500000),
        ("2026-03-14T12:00:00.589793Z", 1773489600_589793),
        ("2026-03-14T12:00:00.589793999Z", 1773489600_589793),
        ("2026-03-14T12:00:00", 1773489600_000000),
        ("2026-03-14 12:00:00", 1773489600_000000),
        ("2026-03-14T14:00:00+02:00", 1773489600_000000),
        ("1969-12-31T23:59:59.999999Z", -1),
    ],
)
def test_positions_are_microseconds(text: str, micros: int) -> None:
    """A position is the record's time in microseconds; a time without an offset is UTC."""
    page, _ = run(mapper(), page_of({"id": "1", "at": text}))
    assert page.positions == [micros]


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("string", "text", "text"),
        ("string", "", ""),
        ("string", 7, "7"),
        ("string", -0.5, "-0.5"),
        ("string", True, "true"),
        ("string", False, "false"),
        ("guid", 7, "7"),
        ("string", {"a": [1, None]}, '{"a":[1,null]}'),
        ("string", [], "[]"),
        ("int", 2**31 - 1, 2**31 - 1),
        ("int", "-7", -7),
        ("int", 7.0, 7),
        ("int", "1e3", 1000),
        ("long", 2**63 - 1, 2**63 - 1),
        ("long", "9007199254740993", 2**53 + 1),
        ("real", 7, 7),
        ("real", 2**64 + 1, 2**64 + 1),
        ("real", "7.25", Decimal("7.25")),
        ("boolean", True, True),
        ("boolean", "True", True),
        ("boolean", "false", False),
        ("dynamic", {"a": None}, {"a": None}),
        ("dynamic", "text", "text"),
        ("dynamic", 0, 0),
        ("dynamic", [], []),
        ("json", {"a": None}, '{"a":null}'),
        ("json", "text", '"text"'),
        ("json", 0, "0"),
        ("json", [], "[]"),
    ],
)
def test_what_a_type_takes(kind: str, value: Any, wanted: Any) -> None:
    """A value that fits is taken, and arrives as its column's type."""
    taken = value_of(kind, value)
    assert taken == wanted
    assert isinstance(taken, bool) is isinstance(wanted, bool)


REFUSED: dict[str, list[Any]] = {
    "datetime": [
        *("", "None", "N/A", "yesterday", "2026-03-14T25:00:00Z", "2026-02-30T12:00:00Z"),
        *("2026-03-14T12:00:00X", "14.03.2026", "12:00:00", "2026-03-14_12:00:00"),
        *(1773489600, 1773489600.5, True, {}, ["2026-03-14T12:00:00Z"]),
    ],
    "int": [2**31, -(2**31) - 1, 7.5, "7.5", "", "seven", True, [7]],
    "long": [2**63, "1e999999999", 1e300, False, {}, " 7", "007"],
    "real": ["NaN", "Infinity", "1e400", "0x7", "1_000", True, []],
    "boolean": [0, 1, "1", "yes", "", []],
}


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in REFUSED.items() for value in values]
)
def test_what_a_type_refuses(kind: str, value: Any) -> None:
    """A value that does not fit is left out, and counted as a misfit."""
    page, rows = run(
        mapper({"Value": {"path": "$.value", "type": kind}}), page_of(record(value=value))
    )
    assert "Value" not in rows[0]
    assert page.misfits == {"Value": 1}


@pytest.mark.parametrize("kind", EVERY_TYPE)
@pytest.mark.parametrize("absent", [{}, {"value": None}], ids=["missing", "null"])
def test_nulls_are_left_out(kind: str, absent: dict[str, Any]) -> None:
    """A missing value or a null is left out, and is no misfit."""
    page, rows = run(
        mapper({"Value": {"path": "$.value", "type": kind}}), page_of(record(**absent))
    )
    assert "Value" not in rows[0]
    assert not page.misfits


def test_the_first_path_with_a_value_counts() -> None:
    """The first path whose value is neither missing, null nor empty counts."""
    user = mapper({"User": ["$.a.user", "$.b.user", "$.c"]})
    rows = rows_of(
        user,
        record(a={"user": ""}, b={"user": "x"}),
        record(a=None, b={"user": None}, c="y"),
        record(a={"user": False}, c="z"),
        record(a={"user": ""}, c=""),
    )
    assert [row.get("User") for row in rows] == ["x", "y", "false", None]


def test_many_matches() -> None:
    """Of many matches a string column has the first, a json or dynamic column all."""
    columns: dict[str, Any] = {
        kind.title(): {"path": "$.items[*].name", "type": kind}
        for kind in ("json", "dynamic", "string")
    }
    row, none = rows_of(
        mapper(columns),
        record(items=[{"name": "a"}, {"name": None}, {}, {"name": ["b"]}]),
        record(items=[{"name": None}, None, 7]),
    )
    assert (row["Json"], row["Dynamic"], row["String"]) == ('["a",["b"]]', ["a", ["b"]], "a")
    assert not {"Json", "Dynamic", "String"} & none.keys()


def test_filters_see_numbers_as_jsonpath_ng_does() -> None:
    """A filter compares numbers with a fraction."""
    score = mapper({"Name": "$.items[?(@.score >= 0.5)].name"})
    items = [{"score": 0.25, "name": "low"}, {"score": 0.5, "name": "high"}]
    assert rows_of(score, record(items=items))[0]["Name"] == "high"


def test_what_cannot_be_evaluated_is_a_misfit() -> None:
    """A path that cannot be evaluated on a record is a misfit there, and no error."""
    columns = {"Sorted": {"path": "$.v[/n]", "type": "json"}}
    mixed, fine = record(v=[{"n": 1}, {"n": "x"}]), record(v=[{"n": 2}, {"n": 1}])
    page, rows = run(mapper(columns), page_of(mixed, fine))
    assert [row.get("Sorted") for row in rows] == [None, '[{"n":1},{"n":2}]']
    assert page.misfits == {"Sorted": 1}


def test_functions_of_one_value_give_one_value() -> None:
    """A function such as `len` gives one value, not a list."""
    columns = {"Length": {"path": "$.v.`len`", "type": "json"}}
    assert rows_of(mapper(columns), record(v=[1, 2]))[0]["Length"] == "2"


def test_secrets_become_fingerprints() -> None:
    """A redacted value becomes a fingerprint, which is the same for the same value."""
    secret = {"Token": {"path": "$.token", "redact": True}}
    first, again, other, empty, number = rows_of(
        mapper(secret), *(record(token=token) for token in ("abc", "abc", "abd", "", 7))
    )
    assert first["Token"] == again["Token"] == "sha256:ba7816bf8f01cfea"
    assert other["Token"] != first["Token"]
    assert empty["Token"] == ""
    assert number["Token"].startswith("sha256:")
    assert rows_of(mapper({"Token": {"path": "$.token"}}), record(token="abc"))[0]["Token"] == "abc"


@pytest.mark.parametrize(
    "how", [{}, {"reads": Reads.TEXT, "fast": str.upper}], ids=["slow", "fast"]
)
def test_a_type_is_one_object(how: dict[str, Any]) -> None:
    """A type that is added to the list works, with or without fast code of its own."""

    def shout(value: Any) -> str:
        if not isinstance(value, str):
            raise DoesNotFit
        return value.upper()

    types = {**TYPES, "loud": ColumnType("loud", shout, **how)}
    columns = {
        "Loud": {"path": "$.a", "type": "loud"},
        "Either": {"path": ["$.b", "$.a"], "type": "loud", "redact": True},
        "Each": {"path": "$.c[*].d", "type": "loud"},
        "Part": {"path": "$.a.b", "type": "loud"},
    }
    loud = Mapper(build("tests", document(columns), "tests.toml", types))
    page, rows = run(loud, page_of(record(a="x", c=[{"d": "y"}]), record(a=["z"]), record()))
    made = [{name: row[name] for name in columns if name in row} for row in rows]
    secret = "sha256:" + hashlib.sha256(b"X").hexdigest()[:16]
    assert made == [{"Loud": "X", "Either": secret, "Each": "Y"}, {}, {}]
    assert page.misfits == {"Loud": 1, "Either": 1}
