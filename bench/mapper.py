"""What parts of the mapper's work cost: columns, records that are known, unpacking."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial

from isal import isal_zlib

from bench.pages import RECORDS, TABLES, mappings, template
from bench.report import Row, compare
from bench.rounds import cpu, rounds
from sentinelone_source.mapping.interpreter import interpret
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Page
from sentinelone_source.mapping.spec.model import ConsoleId

ROUNDS = 9
_NOWHERE = ConsoleId(None, None)
_EVERY_TENTH = range(0, RECORDS, 10)


def run() -> list[Row]:
    """Measure a page of each table, in interleaved rounds."""
    contenders = {
        (name, what): partial(cpu, function)
        for name in TABLES
        for what, function in _contenders(name).items()
    }
    rounds(contenders, 1)
    found = rounds(contenders, ROUNDS)

    def five(what: str) -> list[float]:
        return [sum(one) for one in zip(*(found[name, what] for name in TABLES), strict=True)]

    interpreted = "interpreter", five("interpreted")
    every_new = "every record new", five("new")
    return [
        compare("mapper", "five tables, generated code", five("built"), interpreted, cheaper=True),
        *(
            compare("mapper", f"{name}, every record known", found[name, "known"], new)
            for name in TABLES
            for new in [("every record new", found[name, "new"])]
        ),
        compare("mapper", "five tables, one record of ten new", five("tenth"), every_new),
        compare("mapper", "five tables, unpacked by isal", five("isal"), ("zlib", five("zlib"))),
    ]


def _contenders(name: str) -> dict[str, Callable[[], object]]:
    mapping, body = mappings()[name], template(name).page()
    mapper, packed = Mapper(mapping), gzip.compress(body, 6)
    raws = mapper.raws(mapper.open(body, _NOWHERE))

    def known(places: range) -> None:
        page = mapper.open(body, _NOWHERE, keys_first=True)
        mapper.keys(page)
        if places:
            mapper.decode_rest(page, places)
            _lines(mapper, page)

    return {
        "built": lambda: [*mapper.strides(mapper.open(body, _NOWHERE))],
        "interpreted": lambda: [interpret(mapping, raw, _NOWHERE, Counter()) for raw in raws],
        "new": lambda: _lines(mapper, mapper.open(body, _NOWHERE)),
        "known": lambda: known(range(0)),
        "tenth": lambda: known(_EVERY_TENTH),
        "isal": lambda: isal_zlib.decompress(packed, zlib.MAX_WBITS | 16),
        "zlib": lambda: zlib.decompress(packed, zlib.MAX_WBITS | 16),
    }


def _lines(mapper: Mapper, page: Page) -> None:
    for _ in mapper.lines(page):
        pass
