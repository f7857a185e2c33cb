"""The hot path: a page of the API in, lines out, against JSON libraries on the same page."""

from __future__ import annotations

import gc
import gzip
import json
from collections.abc import Callable
from typing import Any

import orjson
from jsonpath_ng.ext.parser import parse

from bench.pages import RECORDS, TABLES, mappings, template
from bench.report import Goal, Row, compare, table
from bench.rounds import cpu, rounds
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.spec.model import Column, ConsoleId, Mapping

ROUNDS = 11
_NOWHERE = ConsoleId(None, None)

_ORJSON = "orjson"
_NAIVE = "jsonpath-ng"


def run() -> list[Row]:
    """Measure all tables, in interleaved rounds."""
    pages = {name: template(name).page() for name in TABLES}
    contenders = {
        (name, who): _timed(function, pages[name])
        for name in TABLES
        for who, function in _contenders(mappings()[name]).items()
    }
    gc.collect()
    gc.freeze()  # what is there by now is not the contenders' to go through
    rounds(contenders, 1)
    found = rounds(contenders, ROUNDS)
    gc.unfreeze()
    return _rows(found)


def shapes() -> str:
    """Sizes of the pages, as a table."""
    rows = []
    for name in TABLES:
        mapping, body = mappings()[name], template(name).page()
        lines = b"".join(_ours(Mapper(mapping), body)).splitlines()
        sizes = (len(body), len(gzip.compress(body, 6)), sum(map(len, lines)) + len(lines))
        per_record = [f"{size / RECORDS:.0f}" for size in sizes]
        longest = f"{max(map(len, lines))}"
        rows.append((name, *per_record, str(len(mapping.columns)), longest))
    header = ("table", "B/record in", "gzip -6", "B/record out", "columns", "longest line, B")
    return table(rows, header)


def _rows(found: dict[tuple[str, str], list[float]]) -> list[Row]:
    goals = {_ORJSON: Goal(0.40), _NAIVE: Goal(15, least=True)}
    rows: list[Row] = []
    for against, goal in goals.items():
        ours = {name: found[name, "ours"] for name in TABLES}
        theirs = {name: found[name, against] for name in TABLES}
        cheaper = goal.least
        rows += [
            compare("hot", f"{name}, a page", ours[name], (against, theirs[name]), cheaper=cheaper)
            for name in TABLES
        ]
        sums = [[*map(sum, zip(*side.values(), strict=True))] for side in (ours, theirs)]
        what = "five tables, a page of each"
        rows.append(compare("hot", what, sums[0], (against, sums[1]), goal, cheaper=cheaper))
    return rows


def _timed(function: Callable[[bytes], object], page: bytes) -> Callable[[], float]:
    return lambda: cpu(lambda: function(page))


def _contenders(mapping: Mapping) -> dict[str, Callable[[bytes], object]]:
    mapper = Mapper(mapping)
    return {"ours": lambda page: _drain(mapper, page), _ORJSON: _orjson, _NAIVE: _naive(mapping)}


def _drain(mapper: Mapper, page: bytes) -> None:
    for _ in mapper.lines(mapper.open(page, _NOWHERE)):
        pass


def _ours(mapper: Mapper, page: bytes) -> list[bytes]:
    return [piece.data for piece in mapper.lines(mapper.open(page, _NOWHERE))]


def _orjson(page: bytes) -> list[bytes]:
    return [orjson.dumps(record) for record in orjson.loads(page)["data"]]


def _naive(mapping: Mapping) -> Callable[[bytes], list[str]]:
    columns = [(column.name, _finder(column)) for column in mapping.columns]

    def lines(page: bytes) -> list[str]:
        return [
            json.dumps(
                {name: value for name, find in columns if (value := find(record)) is not None}
            )
            for record in json.loads(page)["data"]
        ]

    return lines


def _finder(column: Column) -> Callable[[Any], Any]:
    """The column's value, of whatever type it is, as jsonpath-ng finds it."""
    paths = [parse(path.text) for path in column.paths]
    if column.paths[0].many and column.type in ("json", "dynamic"):
        return lambda record: [
            match.value for match in paths[0].find(record) if match.value is not None
        ]

    def first(record: Any) -> Any:
        value = None
        for path in paths:
            matches = path.find(record)
            value = matches[0].value if matches else None
            if value not in (None, ""):
                break
        return value

    return first
