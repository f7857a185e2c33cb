"""A mapping file is data: whatever its texts are, nothing of them is executed."""

from __future__ import annotations

import ast
import builtins
import contextlib
import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mapping.files import GOOD, refusal, write
from mapping.helpers import page_of, record, run
from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.compile.runtime import RUNTIME
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page_reader import NotAPage
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.mapping.spec.schema import build
from sentinelone_source.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = "__import__('builtins').__dict__.update(executed=True)"
HOSTILE = [
    *(f'"""\n    {RUN}\n    """', f'"""; {RUN} #', f"'''\n{RUN}\n'''", f"x\n{RUN}\n", f"={RUN}"),
    *(RUN, f"{{{RUN}}}", "{0.__class__}", "%s%n", '"', "\\", "\n", "\r", "\t", "\0", "\x1b[2J"),
    *("\x7f", "\u2028", "", " ", "..", "../..", "a/../b", "//", "?x=1&", "#", "self", "None"),
    *(
        "class",
        "__class__",
        "__0",
        "build",
        "$",
        "$.",
        "$.['a\"b']",
        '$.["a\\\\b"]',
        "$.['a\tb'].c",
    ),
    *("$.['a\0'][*]", "$.['']", "$..*", "$[*]", "$.a[?(@.b =~ 'a{99999999999}')]"),
    *("$.a.`sub(/(/, x)`", "$.a.`sub(/a{99999999999}/, x)`", "$" + ".a" * 500, "$" + "[0]" * 500),
    *("$" + "(" * 500, "a{99999999999}", "(" * 500, "[[a]", "(?i", "a" * 10_000),
]
DOCUMENT: dict[str, Any] = {
    "table": "Things_CL",
    "stream": "Custom-Things_CL",
    "request": {
        "path": "things", "records": "$.data", "params": {"name": "value", "list": ["a", "b"]},
    },
    "walk": {
        "id": "$.id", "version": "$.at", "position": "$.at", "filter": "at__gte", "sort_by": "at"
    },
    "columns": {
        "TimeGenerated": {"path": "$.at", "type": "datetime"},
        "Name": "$.value.name",
        "Either": ["$.value.a", "$.b[0]"],
        "Aliased": {"path": "$.value", "type": "json", "aliases": {"further": "member"}},
        "Each": {"path": "$.value[*].name", "type": "json"},
        "Secret": {"path": "$.secret", "redact": True},
        "Whole": {"path": "$.value", "type": "dynamic"},
    },
    "drop": [
        {"path": "$.kind", "in": ["noise"], "all": [{"path": "$.value.x", "equals": "x"}]},
        {"path": "$.name", "matches": "^x$"},
    ],
}  # fmt: skip
VALUES = [None, "text", 7, {"name": "n", "member": 1, 'a"b': 2, "a\\b": 3}, [{"name": "n"}]]


def names_in(code: str) -> set[str]:
    """What stands in generated code, its comments apart, and apart from names with a number."""
    names = re.findall(r"[^\W\d]\w*", ast.unparse(ast.parse(code)))
    return {name for name in names if not re.fullmatch(r"[cfmp]\d+", name)}


OWN_NAMES = names_in(Mapper(build("x", DOCUMENT, "x")).code) | {*RUNTIME, "next", "raw"}

Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[tuple[Place, bool]]:
    """Where texts are in a document; True for keys."""
    if isinstance(value, str):
        yield place, False
    for key, child in value.items() if isinstance(value, dict) else ():
        yield (*place, key), True
        yield from places(child, (*place, key))
    for number, child in enumerate(value) if isinstance(value, list) else ():
        yield from places(child, (*place, number))


def spoiled(value: Any, place: Place, is_key: bool, text: str) -> Any:
    """A copy of a document with another text at one place."""
    if not place:
        return text
    step, *rest = place
    if isinstance(value, list):
        changed = spoiled(value[int(step)], tuple(rest), is_key, text)
        return [changed if number == step else item for number, item in enumerate(value)]
    if is_key and not rest:
        return {text if key == step else key: item for key, item in value.items()}
    return {**value, step: spoiled(value[step], tuple(rest), is_key, text)}


def toml(value: Any) -> str:
    """A value of an inline table."""
    if isinstance(value, dict):
        items = (f"{toml(key)} = {toml(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def check(text: str) -> None:
    """The file is refused by a sentence, or its mapping makes rows; nothing is executed."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), text) / "things.toml"
        try:
            mapping = build("things", read_toml(path), str(path))
        except ConfigError as error:
            assert str(error).isprintable()  # noqa: PT017 - or there is none
            return
    mapper = Mapper(mapping)
    assert names_in(mapper.code) <= OWN_NAMES
    records = (record(id=str(n), value=value, kind="k") for n, value in enumerate(VALUES))
    with contextlib.suppress(NotAPage):  # its list is elsewhere
        page, rows = run(mapper, page_of(*records))
        assert len(rows) + len(page.dead) + page.dropped == len(VALUES)
    assert not hasattr(builtins, "executed")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(list(places(DOCUMENT))),
    st.one_of(
        st.sampled_from(HOSTILE),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.sampled_from(HOSTILE).map(lambda text: f"$.['{text}']"),
    ),
)
def test_no_text_of_a_mapping_file_is_executed(place: tuple[Place, bool], text: str) -> None:
    """Whatever a text or a key of a mapping file is, it is refused by a sentence or is data."""
    document = spoiled(DOCUMENT, *place, text)
    check("\n".join(f"{toml(key)} = {toml(value)}" for key, value in document.items()))


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ('"things"', "'''\"\"\"\n    exit(1)\n\"\"\"'''", "request.path: "),
        ('"things"', '"things/../users"', "request.path: 'things/../users': takes letters"),
        ('"things"', '"things?limit=1"', "request.path: 'things?limit=1': takes letters"),
        ('"things"', '""', "request.path: '': takes letters"),
        ('"things"', '"things"\nparams = { "a&b" = 1 }', "request.params: 'a&b': takes letters"),
        ('"at__gte"', '"at gte"', "walk.filter: 'at gte': takes letters"),
        ('sort_by = "at"', 'sort_by = "a\\nt"', "walk.sort_by: 'a\\nt': takes letters"),
        ("[request]", 'stream = "x"\n[request]', "stream: takes 'Custom-'"),
        ('"$.name"', "[" * 30 + "]" * 30, "nested deeper than 16 levels"),
        ('"$.name"', "[" * 10_000 + "]" * 10_000, "is not valid TOML"),
        ('"$.name"', "7" * 5_000, "is not valid TOML"),
        ('"$.name"', "0x" + "7" * 5_000, "an integer is longer than 64 bits"),
        ("[walk]", '[[drop]]\npath="$.a"\nmatches="a{99999999999}"\n[walk]', "not a regular expr"),
        ("[walk]", f'[[drop]]\npath="$.a"\nmatches="{"(" * 5000}"\n[walk]', "not a regular expr"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_refused(tmp_path: Path, before: str, after: str, wanted: str) -> None:
    """Text that would change a URL, and values without end, are refused when the file is read."""
    assert before in GOOD
    message = refusal(write(tmp_path, GOOD.replace(before, after, 1)))
    assert wanted in message
    assert message.isprintable()


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\tb", "é", "a'b", "a b", "$", "self", "x" * 999])
def test_members_of_any_name_are_found(tmp_path: Path, name: str) -> None:
    """A quoted member may hold a quote, a backslash or a control character."""
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    text = GOOD.replace('"$.name"', toml(f"$.['{quoted}'].x"))
    mapper = Mapper(load_mappings(write(tmp_path, text))["things"])
    _, rows = run(mapper, page_of(record(**{name: {"x": "found"}})))
    assert [row.get("Name") for row in rows] == ["found"]
