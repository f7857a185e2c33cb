"""The routes of Vector's configurations, run by the real VRL compiler."""

from __future__ import annotations

import copy

import pytest
import yaml

from sentinelone_source.mapping.spec.files import load_tables
from sentinelone_source.mapping.spec.model import TableSpec
from shippers.vector import WAYS, Document, load, text
from shippers.vector_vrl import holds, routed, run_test

pytest.importorskip("pyvrl", reason="no wheel of pyVRL for this Python")

CASES = [
    pytest.param(way, test, id=f"{way}: {test['name']}")
    for way in WAYS
    for test in yaml.safe_load(text(f"tests-{way}.yaml"))["tests"]
]


@pytest.mark.parametrize(("way", "test"), CASES)
def test_vectors_own_tests(way: str, test: Document) -> None:
    """Each of Vector's own tests passes here, too."""
    assert run_test(load(way), test) == []


@pytest.mark.parametrize(("way", "test"), CASES)
def test_vectors_own_tests_fail_with_other_routes(way: str, test: Document) -> None:
    """Each of Vector's own tests fails with other routes."""
    document = copy.deepcopy(load(way))
    route = document["transforms"]["tables"]["route"]
    names, conditions = list(route), list(route.values())
    rotated = dict(zip(names, conditions[1:] + conditions[:1], strict=True))
    document["transforms"]["tables"]["route"] = rotated
    nowhere = {**document, "transforms": {"tables": {"type": "route", "route": {"all": "true"}}}}
    assert run_test(document, test) or run_test(nowhere, test)


@pytest.mark.parametrize("way", WAYS)
def test_every_output_is_tested(way: str) -> None:
    """Vector's own tests name every output of the routes, also what is kept apart."""
    tests = yaml.safe_load(text(f"tests-{way}.yaml"))["tests"]
    outputs = {f"tables.{name}" for name in load(way)["transforms"]["tables"]["route"]}
    outputs.add("tables._unmatched")
    assert {out["extract_from"] for test in tests for out in test["outputs"]} == outputs
    for test in tests:
        spoken = {out["extract_from"] for out in test["outputs"]}
        assert spoken | set(test["no_outputs_from"]) == outputs, test["name"]


@pytest.mark.parametrize("mapping", load_tables(), ids=lambda m: m.name)
@pytest.mark.parametrize("way", WAYS)
def test_rows_of_every_mapping(way: str, mapping: TableSpec) -> None:
    """Rows of each mapping leave by its own route, and by no other."""
    row = {"_table": mapping.table, "stream": "stdout"}
    assert routed(load(way), row) == [f"tables.{mapping.name}"]


@pytest.mark.parametrize(
    "event",
    [
        {"stream": "stderr", "event": "swept", "level": "info"},
        {"stream": "stderr", "_table": "SentinelOneThreats_CL"},
        {"stream": "stderr"},
    ],
)
def test_a_log_line_is_never_a_row(event: Document) -> None:
    """A line of the log goes to the log, whatever it holds."""
    assert routed(load("exec"), event) == ["tables.log"]


@pytest.mark.parametrize("condition", ["._table = = 1", ".a + 1", '"yes"'])
def test_conditions_that_vector_refuses(condition: str) -> None:
    """A condition that Vector would refuse is an error here, too."""
    with pytest.raises(ValueError, match=r"error|no boolean"):
        holds(condition, {"a": 1})
