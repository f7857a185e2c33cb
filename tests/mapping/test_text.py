"""Digits, escapes and broken characters: what a value must not lose on its way."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from mapping.helpers import CONSOLE, mapper, page_of, record, rows_of, run


def page_with(value: str) -> bytes:
    """A page of one record whose `value` is written exactly so."""
    return (
        b'{"data":[{"id":"1","at":"2026-03-14T12:00:00Z","value":%b}],"pagination":{}}'
        % value.encode("utf-8", "surrogateescape")
    )


def written(kind: str, value: str) -> Any:
    """What a column makes of JSON written exactly so."""
    page, rows = run(mapper({"Value": {"path": "$.value", "type": kind}}), page_with(value))
    assert not page.dead
    return rows[0].get("Value")


@pytest.mark.parametrize("kind", ["json", "dynamic"])
@pytest.mark.parametrize(
    "value",
    [
        "9007199254740993",
        "18446744073709551617",
        "-100000000000000000000000000000",
        "0.1000000000000000055511151231257827021181583404541015625",
        "1.50",
        "1E+2",
        "1e400",
    ],
)
def test_every_digit_is_kept(kind: str, value: str) -> None:
    """Every digit of a number is kept."""
    for surroundings in ("{%s}", '{%s,"lone":"\\ud800"}'):  # read as it came, and interpreted
        document = surroundings % f'"n":[{value}]'
        taken = written(kind, document)
        found = json.loads(taken, parse_float=str) if kind == "json" else taken
        assert str(found["n"][0]).upper() in (value.upper(), str(Decimal(value)))


def test_a_float_is_written_as_it_came() -> None:
    """A number with a fraction is written as it came, also into a string column."""
    assert written("string", "0.12345678901234567890123") == "0.12345678901234567890123"
    assert written("real", "0.5") == Decimal("0.5")


@pytest.mark.parametrize("kind", ["string", "json", "dynamic"])
@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (r"a\ud800b", "a\ufffdb"),
        (r"\udc00\ud800", "\ufffd\ufffd"),
        (r"\ud83d\ude00", "😀"),
        (r"\ud800\ud83d\ude00", "\ufffd😀"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\ufffd"),
        (r"\u00e9", "é"),
        (r"C:\\users\\u00e9", r"C:\users\u00e9"),
        (r"\u0000", "\0"),
        (r"\/ \b\f\n\r\t \"", '/ \b\f\n\r\t "'),
        ("é😀", "é😀"),
        ("a\udcffb", "a\ufffdb"),
        ("\udced\udca0\udc80", "\ufffd\ufffd\ufffd"),
    ],
)
def test_escapes_and_broken_text(kind: str, value: str, wanted: str) -> None:
    """Escapes become their characters, and each broken character U+FFFD."""
    if kind == "string":
        assert written(kind, f'"{value}"') == wanted
        return
    taken = written(kind, f'{{"{value}":["{value}"]}}')
    assert (json.loads(taken) if kind == "json" else taken) == {wanted: [wanted]}


@pytest.mark.parametrize("kind", ["json", "string"])
def test_json_text_holds_the_characters_themselves(kind: str) -> None:
    """JSON text has an escape only where JSON needs one."""
    assert written(kind, r'{"a":"\u00e9"}') == '{"a":"é"}'
    assert written(kind, r'{"a":"C:\\users"}') == r'{"a":"C:\\users"}'
    assert written(kind, r'{"a":"\u0000"}') == r'{"a":"\u0000"}'


def test_only_the_broken_record_changes() -> None:
    """A broken character changes its own value, and no other record."""
    body = page_of(record(value="é"), record(value="BROKEN"), record(value="\\ud800"))
    body = body.replace(b"BROKEN", rb"\ud800")
    page, rows = run(mapper({"Value": "$.value"}), body)
    assert [row["Value"] for row in rows] == ["é", "\ufffd", "\\ud800"]
    assert not page.dead


def test_broken_text_where_no_column_looks() -> None:
    """A record with a broken character in an unmapped field is a row."""
    for unused in (b'"\\ud800"', b'"\xff"', b'{"\\udfff":"\xc3"}'):
        body = page_of(record(value="kept", unused="HERE")).replace(b'"HERE"', unused)
        assert run(mapper({"Value": "$.value"}), body)[1][0]["Value"] == "kept"


def test_nul_stays_an_escape() -> None:
    """A NUL character is written as an escape."""
    page = mapper({"Value": "$.value"}).open(page_of(record(value="a\0b")), CONSOLE)
    (piece,) = mapper({"Value": "$.value"}).lines(page)
    assert rb'"a\u0000b"' in piece.data


def test_line_separators_do_not_tear_lines() -> None:
    """A text with line breaks stays in one line."""
    for kind in ("string", "json", "dynamic"):
        rows = rows_of(
            mapper({"Value": {"path": "$.value", "type": kind}}), record(value=["\n\r\u2028"])
        )
        assert len(rows) == 1
