"""Records from a file, however somebody saved them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mapping.helpers import mapper, page_of, record, run
from sentinelone_source.errors import SourceError
from sentinelone_source.mapping.offline import pages

MAPPER = mapper({"Value": "$.value"})
TWO = [record(value="a"), record(value="é")]
LINES = "\n".join(json.dumps(one) for one in TWO)


def values(data: bytes | str) -> list[Any]:
    """The values of all rows made of a file."""
    content = data.encode() if isinstance(data, str) else data
    bodies = pages(MAPPER.mapping, content, "file.json")
    return [row["Value"] for body in bodies for row in run(MAPPER, body)[1]]


@pytest.mark.parametrize(
    "data",
    [
        page_of(*TWO),
        json.dumps({"data": TWO}, indent=2),
        json.dumps(TWO, indent="\t"),
        json.dumps(TWO),
        LINES,
        LINES + "\n\n",
        LINES.replace("\n", "\r\n"),
        "\ufeff" + LINES,
        page_of(TWO[0]) + b"\n" + page_of(TWO[1]),
        json.dumps([TWO[0]]) + "\n" + json.dumps(TWO[1]),
    ],
)
def test_every_form(data: bytes | str) -> None:
    """A file saved by another tool could not be tried."""
    assert values(data) == ["a", "é"]


def test_one_record() -> None:
    """A single record, printed over many lines, would be read line by line."""
    assert values(json.dumps(TWO[1], indent=2)) == ["é"]


@pytest.mark.parametrize("data", ["", " \n", "[]", '{"data":[]}'])
def test_nothing(data: str) -> None:
    """An empty file would be an error, or a row."""
    assert values(data) == []


def test_many_records_make_many_pages() -> None:
    """A large file would be mapped as one page, and need its size in memory many times."""
    lines = "\n".join(json.dumps(record(value=n)) for n in range(2500))
    assert values(lines) == [str(n) for n in range(2500)]
    assert len(list(pages(MAPPER.mapping, lines.encode(), "f"))) == 3


def test_mistakes_name_the_line() -> None:
    """Somebody would search a large file for the one line that is broken."""
    with pytest.raises(SourceError, match=r"file\.json: line 2: is not JSON: "):
        values(LINES.partition("\n")[0] + '\n{"id":\n')


def test_a_record_too_deep_is_left_to_the_mapper() -> None:
    """One absurd record in a file would end the command."""
    deep = '{"id":"1","at":"2026-03-14","value":' + "[" * 100_000 + "]" * 100_000 + "}"
    bodies = list(pages(MAPPER.mapping, f"{deep}\n{LINES}".encode(), "file.json"))
    page, rows = run(MAPPER, bodies[0])
    assert ([row["Value"] for row in rows], len(page.dead)) == (["a", "é"], 1)
