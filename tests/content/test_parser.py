"""Our parser function: Microsoft's columns and values, and what that one leaves empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from content.facts import PARSED, PARSER
from content.stories import Story, at, cases, demo, eventful, quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from content.conftest import Workspaces

SCHEMA = "SentinelOne | getschema | project ColumnName, ColumnType"
ALL = "SentinelOne | order by Type, TimeGenerated, EventId, AlertInfo"
SHORT = {
    f"SentinelOne{name}_CL": f"{name}." for name in ("Activities", "Agents", "Groups", "Threats")
}
FILLED = {
    "SentinelOneActivities_CL": {
        *("SrcUserName", "DataUserName", "DataSrcUserName", "DataRuleId", "DataUuid", "EventType"),
    },
    "SentinelOneAgents_CL": {
        *("EventType", "AgentId", "ActiveThreats", "CoreCount", "CpuCount", "TotalMemory"),
    },
    "SentinelOneAlerts_CL": set(),
    "SentinelOneGroups_CL": {"EventType", "TotalAgents"},
    "SentinelOneThreats_CL": {"EventType"},
}
"""What it gives and Microsoft's does not, for rows of the demo."""


def types(workspace: Any) -> list[tuple[str, str]]:
    return [(row["ColumnName"], row["ColumnType"]) for row in workspace.ask(SCHEMA)]


def test_columns(workspaces: Workspaces) -> None:
    """The parser has the columns of Microsoft's, and one more."""
    wanted = [(name, fact["type"]) for name, fact in PARSER.items()]
    assert types(workspaces(demo, "ours")) == wanted
    assert types(workspaces(demo, "parser")) == [*wanted, ("DataSrcUserName", "string")]


@pytest.mark.parametrize("story", [demo, cases, eventful])
def test_microsofts_values_stay(story: Callable[[], Story], workspaces: Workspaces) -> None:
    """Every value that Microsoft's parser gives stays the same."""
    theirs, ours = (workspaces(story, name).ask(ALL) for name in ("ours", "parser"))
    assert len(theirs) == len(ours) == sum(map(len, story().records.values()))
    for row, wanted in zip(ours, theirs, strict=True):
        given = {name: value for name, value in wanted.items() if value not in (None, "")}
        assert {name: row[name] for name in given} == given


@pytest.mark.parametrize("table", PARSED)
def test_empty_columns_are_filled(table: str, workspaces: Workspaces) -> None:
    """The columns that Microsoft's parser leaves empty are filled."""
    query = f"{ALL} | where Type == '{table}'"
    theirs, ours = (workspaces(demo, name).ask(query) for name in ("ours", "parser"))
    assert ours
    filled = {
        name
        for row, other in zip(ours, theirs, strict=True)
        for name, value in row.items()
        if value not in (None, "") and other.get(name) in (None, "")
    }
    assert filled == FILLED[table]
    kinds = {row["EventType"] for row in ours}
    assert kinds == {SHORT[table]} if table in SHORT else kinds.isdisjoint(SHORT.values())


SPELLINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"userName": "A"}, {"SrcUserName": "A", "DataUserName": "A", "DataSrcUserName": "A"}),
    ({"username": "B"}, {"SrcUserName": "B", "DataUserName": "B", "DataSrcUserName": "B"}),
    ({"userName": "A", "username": "B"}, {"SrcUserName": "A", "DataUserName": "A"}),
    ({"userName": "", "username": "B"}, {"SrcUserName": "B"}),
    ({"userName": None, "username": "B"}, {"SrcUserName": "B"}),
    ({"rulename": "R", "ruleid": 7}, {"DataRuleName": "R", "DataRuleId": "7"}),
    ({"ruleName": "S", "ruleId": "8"}, {"DataRuleName": "S", "DataRuleId": "8"}),
    ({"ruleid": 2339104998127733001}, {"DataRuleId": "2339104998127733001"}),
    ({"policyId": "1"}, {"DataPolicyId": "1"}),
    ({"policy": {"id": "2"}}, {"DataPolicyId": "2"}),
    ({"newValue": True}, {"DataNewValue": "true", "DataNewValueb": True}),
    ({"newValue": False}, {"DataNewValue": "false", "DataNewValueb": False}),
    ({"newValue": "1"}, {"DataNewValue": "1", "DataNewValueb": None}),
    ({"treatasthreat": "Malicious"}, {"DataTreatasthreat": "Malicious"}),
    ({"uuid": "u"}, {"DataUuid": "u"}),
    ({}, {"SrcUserName": "", "DataRuleName": "", "DataNewValueb": None}),
]


def spellings() -> Story:
    """One activity for each way to say things, one a minute."""
    story = Story()
    for minute, (data, _) in enumerate(SPELLINGS):
        story.activity(3603, minute)
        story.records["activities"][-1]["data"] = data
    return story


@pytest.mark.parametrize("minute", range(len(SPELLINGS)), ids=[str(data) for data, _ in SPELLINGS])
def test_spellings(minute: int, workspaces: Workspaces) -> None:
    """Every spelling of a user or a rule ends in the same column."""
    rows = workspaces(spellings, "parser").ask("SentinelOne")
    [row] = [row for row in rows if row["EventCreationTime"] == at(minute)]
    wanted = SPELLINGS[minute][1]
    assert {name: row[name] for name in wanted} == wanted


@pytest.mark.parametrize("kept", [*PARSED, None])
def test_tables_that_do_not_exist(kept: str | None, workspaces: Workspaces) -> None:
    """The parser works without any of the tables."""
    missing = frozenset(PARSED) - {kept}
    workspace = workspaces(quiet, "parser", missing)
    rows = workspace.ask("SentinelOne | summarize Rows = count() by Type")
    assert {row["Type"] for row in rows} == ({kept} if kept else set())
    assert len(types(workspace)) == len(PARSER) + 1


def test_columns_that_do_not_exist(workspaces: Workspaces) -> None:
    """The parser works without a column that the mapping leaves out."""
    rows = workspaces(eventful, "fewer columns").ask("SentinelOne | where EventType == 'Agents.'")
    assert {row["ComputerName"] for row in rows} == {"HH-1", "HH-2"}
    assert {row["LicenseKey"] for row in rows} <= {None, ""}
