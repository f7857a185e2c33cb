"""Azure's limits and ours: depth, length of a value, of a line and of a batch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mapping.helpers import ALL, CONSOLE, mapper, page_of, record, rows_of, run
from sentinelone_source.handover.batches import MAX_BATCH, pack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentinelone_source.mapping.mapper import Mapper
    from sentinelone_source.mapping.page import Page
    from sentinelone_source.mapping.rows.lines import Piece


def nest(levels: int, inner: str = "1") -> str:
    """Objects and lists in turn; one that holds a scalar is one level."""
    half, odd = divmod(levels, 2)
    return '{"a":[' * half + "[" * odd + inner + "]" * odd + "]}" * half


def deep_page(levels: int, inner: str = "1", indent: bool = False) -> bytes:
    text = page_of(
        record(value={"é": "é"}), record(value="HERE"), record(value={"é": "é"})
    ).decode()
    if indent:
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text.replace('"HERE"', nest(levels, inner)).encode()


@pytest.mark.parametrize("levels", [1, 31, 32, 33, 34, 100, 500])
@pytest.mark.parametrize("inner", ["1", '"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{{{{{{"', r'"\ud800"'])
def test_deep_values(levels: int, inner: str) -> None:
    """A dynamic value of more than 32 levels becomes text, one of up to 32 does not."""
    page, rows = run(mapper(ALL), deep_page(levels, inner))
    assert len(rows) == 3
    assert not page.dead
    value = rows[1]["Dynamic"]
    assert isinstance(value, str) is (levels > 32)
    assert json.loads(rows[1]["Json"]) == (json.loads(value) if levels > 32 else value)


@pytest.mark.parametrize("indent", [False, True], ids=["compact", "indented"])
@pytest.mark.parametrize("inner", ["1", r'"\u00e9"', '"\\ud800"'], ids=["plain", "escape", "lone"])
@pytest.mark.parametrize("levels", [900, 960, *range(970, 1002, 3), 5_000, 100_000])
def test_depth_costs_one_record_at_most(levels: int, inner: str, indent: bool) -> None:
    """A record too deep to be read is a dead letter, and its neighbours are rows."""
    page, rows = run(mapper(ALL), deep_page(levels, inner, indent))
    assert len(rows) + len(page.dead) == 3
    assert [row["Json"] for row in (rows[0], rows[-1])] == ['{"é":"é"}'] * 2
    if page.dead:
        assert page.dead[0].reason == "nested too deep"
        assert b"".join(page.dead[0].raw.split()).count(b"[") >= levels // 2
    if levels >= 100_000:  # no Python reads that
        assert page.dead


def test_scalars_beside_a_record_too_deep() -> None:
    """Beside a record too deep to be read, what is no record is a dead letter, too."""
    body = page_of(7, record(value="HERE"), None, "x]", record(), [1], cursor="c")
    body = body.replace(b'"HERE"', nest(100_000).encode())
    page, rows = run(mapper(ALL), body)
    assert len(rows) == 1
    assert [dead.raw[:1] for dead in page.dead] == [b"7", b"{", b"n", b'"', b"["]
    assert page.cursor == "c"


def test_deep_page_with_misleading_members() -> None:
    """Beside a record too deep to be read, the list of records is still found."""
    body = b'{"note":{"data":[1]},"x":["data",[2]],"data":[%b,{"id":"2","at":"2026-03-14"}]}'
    page, rows = run(mapper(ALL), body % nest(100_000).encode())
    assert len(rows) == 1
    assert len(page.dead) == 1


@pytest.mark.parametrize("levels", [31, 500])
def test_deep_values_that_are_too_long(levels: int) -> None:
    """A value that is both deep and long is cut to valid JSON within the limit."""
    page, rows = run(mapper(ALL), deep_page(levels, json.dumps("x" * 100_000)))
    assert len(rows) == 3
    assert page.cut == {"Text": 1, "Json": 1, "Dynamic": 1}
    assert len(rows[1]["Json"].encode()) <= 65_536
    json.loads(rows[1]["Json"])


@pytest.mark.parametrize(
    "value",
    [
        "x" * 70_000,
        "é" * 40_000,
        "😀" * 20_000,
        ["x" * 70_000, 7],
        ["é" * 100] * 1000,
        list(range(100_000)),
        {f"k{n}": {"name": "x" * 100} for n in range(1000)},
        {"k" * 70_000: 1},
        "[" + "x" * 70_000,
    ],
    ids=lambda value: str(value)[:12],
)
def test_long_values_are_cut_visibly(value: Any) -> None:
    """A value that is too long is cut to whole characters and valid JSON, and counted."""
    page, (row,) = run(mapper(ALL), page_of(record(value=value)))
    assert page.cut == {"Text": 1, "Json": 1, "Dynamic": 1}
    for name in ("Text", "Json"):
        assert 0 < len(row[name].encode()) <= 65_536
        row[name].encode()
    kept = json.loads(row["Json"])
    assert type(kept) is type(value) is type(row["Dynamic"])
    compact = json.dumps(row["Dynamic"], ensure_ascii=False, separators=(",", ":"))
    assert len(compact.encode()) <= 65_536
    if isinstance(value, str):
        assert row["Text"] == value.encode()[:65_536].decode(errors="ignore")
        assert value.startswith(kept)
    if isinstance(value, list) and isinstance(value[0], str):
        assert value[0].startswith(kept[0])


def test_short_values_survive_the_cut() -> None:
    """Only the long text of an object is cut; short values after it stay."""
    value = {"long": "x" * 200_000, "id": "1234", "list": [1, 2]}
    row = rows_of(mapper(ALL), record(value=value))[0]
    kept = json.loads(row["Json"])
    assert (kept["id"], kept["list"]) == ("1234", [1, 2])
    assert len(kept["long"]) > 20_000


def test_values_of_exactly_64_kib_are_kept() -> None:
    """A value of exactly 64 KiB is kept whole."""
    page, (row,) = run(mapper({"Text": "$.value"}), page_of(record(value="x" * 65_536)))
    assert len(row["Text"]) == 65_536
    assert not page.cut


@pytest.mark.parametrize("kind", ["dynamic", "json", "string", "real"])
@pytest.mark.parametrize("digits", ["0." + "1" * 70_000, "1" * 70_000])
def test_numbers_without_end(kind: str, digits: str) -> None:
    """A number of 70,000 digits costs its own record at most."""
    body = page_of(record(value="HERE"), record(value=2)).replace(b'"HERE"', digits.encode())
    page, rows = run(mapper({"Value": {"path": "$.value", "type": kind}}), body)
    assert len(rows) + len(page.dead) == 2
    assert rows[-1]["Value"] in (2, "2")


def test_row_too_long_for_a_line() -> None:
    """A row too long for a line is a dead letter, and its neighbours are rows."""
    columns = {f"C{n}": f"$.v{n}" for n in range(20)}
    long = record(**{f"v{n}": "\n" * 60_000 for n in range(20)})
    page, rows = run(mapper(columns), page_of(record(v1="a"), long, record(v1="b")))
    assert [row["C1"] for row in rows] == ["a", "b"]
    (dead,) = page.dead
    assert dead.reason == "the row is too long for a line"
    assert json.loads(dead.raw) == long


def _pieces(mapper: Mapper, page: Page, heartbeat: bool) -> Iterator[Piece]:
    for stride in mapper.strides(page):
        if heartbeat:
            stride.contents()
        yield from stride.lines()


@pytest.mark.parametrize("heartbeat", [False, True])
@pytest.mark.parametrize("size", [10, 1000, 30_000, 64_000])
def test_batches_are_full_and_in_order(size: int, heartbeat: bool) -> None:
    """Batches are within the limit, nearly full, and in order, with and without a heartbeat."""
    count = 3_000_000 // (size + 100)
    records = [record(value="x" * size, n=n) for n in range(count)]
    walk = {"id": "$.id", "position": "$.at", "filter": "a", "sort_by": "a", "volatile": ["No"]}
    numbers = mapper({"No": {"path": "$.n", "type": "long"}, "Value": "$.value"}, walk=walk)
    page = numbers.open(page_of(*records), CONSOLE)
    batches = list(pack(_pieces(numbers, page, heartbeat)))
    assert all(batch.size == sum(map(len, batch.pieces)) <= MAX_BATCH for batch in batches)
    assert all(batch.size > 700_000 for batch in batches[:-1])
    assert sum(batch.rows for batch in batches) == count
    lines = b"".join(piece for batch in batches for piece in batch.pieces).splitlines()
    assert [json.loads(line)["No"] for line in lines] == list(range(count))
