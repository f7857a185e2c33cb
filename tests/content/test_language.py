"""The KQL of this project, checked by Kusto's language service."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import Any, NamedTuple

import pytest

from content import test_health as health
from content.facts import HERE, ITEMS, OUR_PARSER, PARSER, ROOT, TABLES, microsofts_parser
from sentinelone_source.history.verify_workspace import TableQuery
from sentinelone_source.mapping.spec.files import HEALTH, load_mappings
from sentinelone_source.times import SECOND

Answers = dict[str, dict[str, Any]]
PAGES = ("content", "prove-nothing-is-missing")
PACKAGE = "@kusto/language-service-next"
COLUMNS = {
    table: {name: kind.replace("boolean", "bool") for name, kind in columns.items()}
    for table, columns in TABLES.items()
}
COLUMNS[HEALTH.table] = {one.name: one.type for one in HEALTH.columns}
MISTAKES = {
    "wrong query": "SentinelOne | where NoSuchColumn == 1",
    "wrong type": "SentinelOne | where Infected > 'a'",
}


class Verdicts(NamedTuple):
    """The answers: as deployed, with a column retyped, with one table, for Microsoft's parser."""

    ours: Answers
    retyped: Answers
    one_table: Answers
    microsofts: Answers


@pytest.fixture(scope="module")
def told() -> Verdicts:
    """All questions in one process, which takes seconds to start; skips where it cannot run."""
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    folders = [str(ROOT / ".venv/node_modules"), os.environ.get("NODE_PATH", "")]
    environ = {**os.environ, "NODE_PATH": os.pathsep.join(filter(None, folders))}
    script = ["-e", f"require.resolve('{PACKAGE}')"]
    if subprocess.run([node, *script], env=environ, capture_output=True, check=False).returncode:
        pytest.skip(f"no {PACKAGE}: npm install --prefix .venv {PACKAGE}")
    done = subprocess.run(
        [node, str(HERE / "kusto.js")],
        input=json.dumps(_questions()),
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return Verdicts(*json.loads(done.stdout))


def _questions() -> list[dict[str, Any]]:
    body = OUR_PARSER.read_text()
    pages = [(ROOT / f"docs/how-to/{name}.md").read_text() for name in PAGES]
    blocks = re.findall(r"^```kusto\n(.*?)^```", "".join(pages), re.MULTILINE | re.DOTALL)
    queries = {item: (HERE / "queries" / f"{item}.kql").read_text() for item in ITEMS}
    queries |= {f"docs {number}": block for number, block in enumerate(blocks)}
    for name, mapping in load_mappings().items():
        if mapping.table in TABLES:
            queries[f"verify {name}"] = TableQuery.of(mapping).text(0, SECOND)
    queries |= {
        f"health {name}": query for name, query in (health.TILES | {"": health.RULE}).items()
    }
    wrong_name = body.replace("UserIdentity = UserId", "UserIdentity = UserID")
    queries |= {**MISTAKES, "wrong name": wrong_name, "parser": body, "call": "SentinelOne"}
    activities = {**COLUMNS["SentinelOneActivities_CL"], "ActivityType": "string"}
    one_table = {"SentinelOneAgents_CL": COLUMNS["SentinelOneAgents_CL"]}
    calls = {"parser": body, "call": "SentinelOne"}
    return [
        {"tables": tables, "parser": f"{{\n{parser}\n}}", "queries": asked}
        for tables, parser, asked in (
            (COLUMNS, body, queries),
            (COLUMNS | {"SentinelOneActivities_CL": activities}, body, calls),
            (one_table, body, calls),
            (COLUMNS, microsofts_parser(), {"call": "SentinelOne"}),
        )
    ]


def test_our_parser(told: Verdicts) -> None:
    """The function is valid and has Microsoft's columns and types, and one more."""
    assert told.ours["parser"]["errors"] == []
    wanted = {name: fact["type"] for name, fact in PARSER.items()} | {"DataSrcUserName": "string"}
    for name in ("parser", "call"):
        assert list(told.ours[name]["columns"].items()) == list(wanted.items())


def test_queries(told: Verdicts) -> None:
    """The queries behind the verdicts, of the documentation and on health rows are valid."""
    documented = [name for name in told.ours if name.startswith("docs")]
    assert len(documented) == 3
    own = [name for name in told.ours if name.startswith("health")]
    errors = {name: told.ours[name]["errors"] for name in (*ITEMS, *documented, *own)}
    assert {name: found for name, found in errors.items() if found} == {}


def test_queries_of_verify(told: Verdicts) -> None:
    """What `verify --workspace` asks for each table is valid, and gives ids and versions."""
    answers = [answer for name, answer in told.ours.items() if name.startswith("verify")]
    assert len(answers) == len(TABLES)
    for answer in answers:
        assert answer == {"errors": [], "columns": {"Id": "string", "Version": "string"}}


@pytest.mark.parametrize("mistake", [*MISTAKES, "wrong name"])
def test_mistakes_are_seen(mistake: str, told: Verdicts) -> None:
    """The service reports a wrong name, a wrong column and a wrong type."""
    assert told.ours[mistake]["errors"]


def test_tables_of_other_types_are_seen(told: Verdicts) -> None:
    """A column of another type is an error of the parser, which names it."""
    [error] = told.retyped["parser"]["errors"]
    assert "ActivityType" in error


def test_missing_tables_are_no_errors(told: Verdicts) -> None:
    """The parser is valid in a workspace with one of the tables."""
    assert told.one_table["parser"]["errors"] == []
    assert len(told.one_table["parser"]["columns"]) == len(PARSER) + 1


def test_microsofts_columns(told: Verdicts) -> None:
    """parser.json has the columns and types of Microsoft's parser."""
    answer = told.microsofts["call"]
    assert answer["errors"] == []
    assert answer["columns"] == {name: fact["type"] for name, fact in PARSER.items()}
