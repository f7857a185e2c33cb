"""One file is one case: a record, and the row that it must become."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mapping.helpers import run
from sentinelone_source.mapping.record_files import page_of
from sentinelone_source.mapping.spec.files import load_mappings
from support.tenancy import mapper_of

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("cases/*/*.json"))
ENOUGH = {"threats": 12, "activities": 12, "agents": 6, "alerts": 6, "groups": 6, "alertsv2": 3}


def read(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return case


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path) -> None:
    """Each case says why it is there, and its record makes its row."""
    case = read(path)
    assert case["why"]
    mapper = mapper_of(path.parent.name)
    page, rows = run(mapper, page_of(mapper.mapping, [json.dumps(case["record"]).encode()]))
    assert not page.dead
    assert json.loads(json.dumps(rows, default=float)) == [case["row"]]
    assert page.misfits == Counter(case.get("misfits", {}))


def test_there_are_enough_cases() -> None:
    """Every table has enough cases of its own."""
    assert ENOUGH.keys() == load_mappings().keys()
    counts = Counter(path.parent.name for path in CASES)
    assert all(counts[name] >= enough for name, enough in ENOUGH.items())


@pytest.mark.parametrize("name", ENOUGH)
def test_every_column_is_filled_by_a_case(name: str) -> None:
    """Every column is filled by a case."""
    filled = {column for path in CASES if path.parent.name == name for column in read(path)["row"]}
    assert [
        column.name for column in load_mappings()[name].columns if column.name not in filled
    ] == []
