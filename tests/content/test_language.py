"""KQL of ours, read by Kusto's own language service, which knows more than any stand-in engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest

from content.facts import HERE, ITEMS, OUR_PARSER, PARSER, ROOT, TABLES, microsofts_parser

Answers = dict[str, dict[str, Any]]
PACKAGE = "@kusto/language-service-next"
COLUMNS = {
    table: {name: kind.replace("boolean", "bool") for name, kind in columns.items()}
    for table, columns in TABLES.items()
}
PARSERS = {"ours": OUR_PARSER.read_text(), "microsofts": microsofts_parser()}


def ask(
    queries: dict[str, str], tables: dict[str, dict[str, str]], parser: str = "ours"
) -> Answers:
    """What the language service says of queries, errors only."""
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    folders = [str(ROOT / ".venv/node_modules"), os.environ.get("NODE_PATH", "")]
    environ = {**os.environ, "NODE_PATH": os.pathsep.join(filter(None, folders))}
    script = ["-e", f"require.resolve('{PACKAGE}')"]
    if subprocess.run([node, *script], env=environ, capture_output=True, check=False).returncode:
        pytest.skip(f"no {PACKAGE}: npm install --prefix .venv {PACKAGE}")
    question = {"tables": tables, "queries": queries}
    question |= {"functions": {"SentinelOne": f"{{\n{PARSERS[parser]}\n}}"}}
    told = subprocess.run(
        [node, str(HERE / "kusto.js")],
        input=json.dumps(question),
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    answers: Answers = json.loads(told.stdout)
    return answers


@pytest.fixture(scope="module")
def answers() -> Answers:
    """Everything that is to be read, at one go: the service takes a while to start."""
    queries = {item: (HERE / "queries" / f"{item}.kql").read_text() for item in ITEMS}
    blocks = re.findall(
        r"^```kusto\n(.*?)^```", (ROOT / "docs/content.md").read_text(), re.MULTILINE | re.DOTALL
    )
    queries |= {f"docs {number}": block for number, block in enumerate(blocks)}
    body = PARSERS["ours"]
    wrong = {
        "wrong name": body.replace("UserIdentity = UserId", "UserIdentity = UserID"),
        "wrong query": "SentinelOne | where NoSuchColumn == 1",
        "wrong type": "SentinelOne | where Infected > 'a'",
    }
    return ask({**queries, **wrong, "parser": body, "call": "SentinelOne"}, COLUMNS)


def test_our_parser(answers: Answers) -> None:
    """Log Analytics would refuse the function, or give columns of other types."""
    assert answers["parser"]["errors"] == []
    wanted = {name: fact["type"] for name, fact in PARSER.items()} | {"DataSrcUserName": "string"}
    for name in ("parser", "call"):
        assert list(answers[name]["columns"].items()) == list(wanted.items())


@pytest.mark.parametrize("item", ITEMS)
def test_queries(item: str, answers: Answers) -> None:
    """A verdict would rest on KQL that only the stand-in engine takes."""
    assert answers[item]["errors"] == []


def test_documented_queries(answers: Answers) -> None:
    """A query would be refused when it is copied from the documentation."""
    found = [answer["errors"] for name, answer in answers.items() if name.startswith("docs")]
    assert found == [[], []]


@pytest.mark.parametrize("mistake", ["wrong name", "wrong query", "wrong type"])
def test_mistakes_are_seen(mistake: str, answers: Answers) -> None:
    """All of the above would hold of anything."""
    assert answers[mistake]["errors"]


def test_tables_of_other_types_are_seen() -> None:
    """A column of another type would break the parser in the workspace, and nowhere before."""
    activities = {**COLUMNS["SentinelOneActivities_CL"], "ActivityType": "string"}
    tables = {**COLUMNS, "SentinelOneActivities_CL": activities}
    [error] = ask({"parser": PARSERS["ours"]}, tables)["parser"]["errors"]
    assert "ActivityType" in error


def test_missing_tables_are_no_errors() -> None:
    """A workspace with fewer tables would have no parser at all."""
    tables = {"SentinelOneAgents_CL": COLUMNS["SentinelOneAgents_CL"]}
    answer = ask({"parser": PARSERS["ours"]}, tables)["parser"]
    assert answer["errors"] == []
    assert len(answer["columns"]) == len(PARSER) + 1


def test_microsofts_columns_as_we_wrote_them_down() -> None:
    """Verdicts on Microsoft's parser would be about a schema that it has not."""
    answer = ask({"call": "SentinelOne"}, COLUMNS, "microsofts")["call"]
    assert answer["errors"] == []
    assert answer["columns"] == {name: fact["type"] for name, fact in PARSER.items()}
