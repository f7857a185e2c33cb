"""Whole records, the public ones and the demo's, through the built-in mappings."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tomli

from mapping.helpers import page_of, run
from mapping.oracle import expected
from sentinelone_source.demo.endpoints import NAMES, Name
from sentinelone_source.demo.records import Records
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.spec.files import built_in_folder, load_mappings

FOLDER = Path(__file__).parent / "samples"
SAMPLES = sorted(path for table in NAMES for path in FOLDER.glob(f"*/{table}*.ndjson"))


def document(name: str) -> dict[str, Any]:
    """A built-in mapping file, as the oracle takes it."""
    file = tomli.loads((built_in_folder() / f"{name}.toml").read_text(encoding="utf-8"))
    columns: dict[str, Any] = {}
    for column, spec in file["columns"].items():
        long = spec if isinstance(spec, dict) else {"path": spec}
        paths = long["path"] if isinstance(long["path"], list) else [long["path"]]
        columns[column] = {
            "type": long.get("type", "string"),
            "redact": long.get("redact", False),
            "path": [(path, "*" in path) for path in paths],
        }
    return {**file, "columns": columns}


def check(name: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare the mapper with the oracle; gives the records that became no row."""
    body = page_of(*records)
    wanted = expected(document(name), body)
    page, rows = run(Mapper(load_mappings()[name]), body)
    assert rows == wanted.rows
    assert page.misfits == wanted.misfits
    assert (page.keys, page.positions) == (wanted.keys, wanted.positions)
    assert len(page.dead) == wanted.dead
    return [json.loads(dead.raw) for dead in page.dead]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_samples(path: Path) -> None:
    """Samples of other consoles make rows; only a threat without `updatedAt` is a dead letter."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    dead = check(path.stem.partition("_")[0], records)
    assert [record for record in dead if record.get("threatInfo", {}).get("updatedAt")] == []
    assert not dead or path.stem.startswith("threats")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NAMES)
def test_demo_records(name: Name, seed: int) -> None:
    """Records of the demo make the rows that the mapping file says."""
    made, noon = Records(seed), datetime(2026, 3, 14, 12, tzinfo=UTC)
    times = (noon + timedelta(seconds=n, microseconds=n) for n in range(60))
    assert check(name, [made.new(name, at) for at in times]) == []
