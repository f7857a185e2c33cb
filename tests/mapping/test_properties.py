"""Random mappings on random records: the compiled mapper against plain jsonpath-ng."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.helpers import CONSOLE, mapper, page_of, record, run
from mapping.oracle import expected
from mapping.worlds import mappings, pages
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.rows.types import TYPES, NeedsInterpreter
from sentinelone_source.mapping.spec.schema import build


def mapper_of(mapping: dict[str, Any]) -> Mapper:
    columns = {
        name: {"console": column["console"]}
        if "console" in column
        else {**column, "path": [path for path, _ in column["path"]]}
        for name, column in mapping["columns"].items()
    }
    walk = {**mapping["walk"], "filter": "at__gte", "sort_by": "at"}
    document = {**mapping, "columns": columns, "walk": walk, "request": {"path": "random"}}
    return Mapper(build("random", document, "random.toml"))


def exact(value: Any, kind: str = "") -> Any:
    """A value such that equal means equal: types count, and text that holds JSON is decoded."""
    if kind == "json" or (kind in ("string", "guid") and value[:1] in ("{", "[")):
        try:
            return "text", exact(json.loads(value, parse_float=Decimal))
        except ValueError:
            return "text", value
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, float):
        value = Decimal(repr(value))
    return ("number", Decimal(value)) if type(value) in (int, Decimal) else (type(value), value)


def exact_rows(mapping: dict[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds = {name: column["type"] for name, column in mapping["columns"].items()}
    redacted = {name for name, column in mapping["columns"].items() if column.get("redact")}
    return [
        {
            name: exact(value, "" if name in redacted else kinds.get(name, ""))
            for name, value in row.items()
        }
        for row in rows
    ]


@given(st.data())
def test_agrees_with_jsonpath_ng(data: st.DataObject) -> None:
    """Rows, misfits and keys of any mapping are those that jsonpath-ng gives."""
    mapping, targets = data.draw(mappings())
    body = data.draw(pages(targets))
    wanted = expected(mapping, body)
    page, rows = run(mapper_of(mapping), body)
    assert exact_rows(mapping, rows) == exact_rows(mapping, wanted.rows)
    assert [list(row) for row in rows] == [list(row) for row in wanted.rows]
    assert page.misfits == wanted.misfits
    assert (page.keys, page.positions) == (wanted.keys, wanted.positions)
    assert len(page.dead) == wanted.dead


@given(st.data())
def test_generated_code_agrees_with_the_interpreter(data: st.DataObject) -> None:
    """The generated code makes the rows, misfits, keys and dead letters of the interpreter."""
    mapping, targets = data.draw(mappings())
    body = data.draw(pages(targets))
    fast, slow = mapper_of(mapping), mapper_of(mapping)

    def refuse(*_: Any) -> NoReturn:
        raise NeedsInterpreter

    slow._strict.build = slow._tolerant.build = refuse
    fast_page, fast_rows = run(fast, body)
    slow_page, slow_rows = run(slow, body)
    assert exact_rows(mapping, fast_rows) == exact_rows(mapping, slow_rows)
    assert fast_page.misfits == slow_page.misfits
    assert (fast_page.keys, fast_page.positions) == (slow_page.keys, slow_page.positions)
    assert fast_page.dead == slow_page.dead


@given(st.data())
def test_keys_read_first_make_the_same_rows(data: st.DataObject) -> None:
    """After a page of known records, a page gives the same rows and counts as without it."""
    mapping, targets = data.draw(mappings())
    body = data.draw(pages(targets))
    alone, after = mapper_of(mapping), mapper_of(mapping)
    keys = run(after, body, lambda keys, _: set(keys))[0].keys
    assert not keys
    known = data.draw(st.sets(st.sampled_from(expected(mapping, body).keys or ["none"])))
    one, rows = run(alone, body, lambda _, __: known)
    other, same_rows = run(after, body, lambda _, __: known)
    assert exact_rows(mapping, rows) == exact_rows(mapping, same_rows)
    assert (one.keys, one.positions, one.dead) == (other.keys, other.positions, other.dead)
    assert (one.suppressed, one.cursor) == (other.suppressed, other.cursor)


ALIKE: list[Any] = [
    *(
        None,
        "",
        "null",
        "0",
        0,
        0.5,
        "0.5",
        "5e-1",
        1,
        "1",
        "01",
        10**20,
        f"{10**20}",
        True,
        "true",
    ),
    *([], "[]", [[]], {}, "{}", {"a": 1}, '{"a":1}', {"a": None}, [0, 1], "[0,1]", "2026", "é"),
]


@pytest.mark.parametrize("kind", sorted(TYPES))
@given(one=st.sampled_from(ALIKE), other=st.sampled_from(ALIKE), fits=st.booleans())
def test_a_digest_tells_rows_apart(kind: str, one: Any, other: Any, fits: bool) -> None:
    """Rows have the same digest if and only if their columns that are not volatile are the same.

    That does not depend on who makes a row: the interpreter makes those with a misfit.
    """
    columns = {
        "Value": {"path": "$.value", "type": kind},
        "More": {"path": "$.more", "type": "string"},
        "None": {"path": "$.none", "type": "int"},
    }
    walk = {"id": "$.id", "position": "$.at", "filter": "at__gte", "sort_by": "at"}
    maps = mapper(columns, walk={**walk, "volatile": ["TimeGenerated"]})
    none = None if fits else "misfit"
    alike = record(value=one, more="1", none=none), record(value=one, more="1")
    body = page_of(*alike, record(value=other, more="1"), record(value=other))
    [stride] = maps.strides(maps.open(body, CONSOLE))
    digests = stride.contents().digests
    lines = b"".join(piece for piece, _ in stride.lines()).splitlines()
    same = [[a == b for b in lines] for a in lines]
    assert [[a == b for b in digests] for a in digests] == same
    assert same[0][1]


def test_the_interpreter_knows_nothing_of_the_fast_path() -> None:
    """The interpreter imports no module of the compiled mapper."""
    program = "import sys, sentinelone_source.mapping.interpreter; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert b"sentinelone_source.mapping.interpreter" in loaded
    assert b"mapping.compile" not in loaded
    assert b"fast_values" not in loaded
