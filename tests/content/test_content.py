"""What Microsoft's rules, hunting queries and tiles find, by whose rows and by which parser."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest

from content.answers import STORIES
from content.facts import HERE, ITEMS, PARSER
from content.settings import documented
from content.stories import Story, eventful, quiet

if TYPE_CHECKING:
    from content.conftest import Workspaces

Rows = list[dict[str, Any]]

HOURS_LATER = 60
MATRIX = list(itertools.product(ITEMS, ("connector", "ours", "aliases", "parser"), STORIES))


def query_of(item: str) -> str:
    return (HERE / "queries" / f"{item}.kql").read_text()


def ordered(rows: Rows) -> list[list[tuple[str, str]]]:
    """Rows such that order does not count, nor the difference between null and an empty string."""
    return sorted(
        sorted((name, repr("" if value is None else value)) for name, value in row.items())
        for row in rows
    )


@pytest.mark.parametrize(("item", "setting", "story"), MATRIX)
def test_verdicts(item: str, setting: str, story: str, workspaces: Workspaces) -> None:
    """Each item finds in each story exactly what its documented verdict says."""
    facts, (tell, answers) = ITEMS[item], STORIES[story]
    verdict, wanted = facts["verdicts"][setting], answers.get(item, [])
    workspace = workspaces(tell, setting)
    if verdict == "error":
        with pytest.raises(Exception, match="DataSrcUserName"):
            workspace.ask(query_of(item), facts["lookback"])
        return
    if verdict == "never":
        wanted = []
    if verdict == "partly":
        wanted = [row | dict.fromkeys(facts["lacking"][setting], "") for row in wanted]
    assert ordered(workspace.ask(query_of(item), facts["lookback"])) == ordered(wanted)


@pytest.mark.parametrize("item", ITEMS)
def test_queries_need_what_the_items_need(item: str) -> None:
    """A query reads the columns and activity types that Microsoft's item reads."""
    known = {*PARSER, "DataSrcUserName"}
    code = re.sub(r"//.*|'[^']*'", "", query_of(item))
    assert set(re.findall(r"\w+", code)) & known == set(ITEMS[item]["parser_columns"])
    words = re.findall(r"ActivityType == (\d+)", code)
    assert {int(word) for word in words} == set(ITEMS[item]["activity_types"])


@pytest.mark.parametrize("item", ["rules/AgentUninstalled", "rules/MultipleAlertsOnHost"])
def test_a_row_that_comes_twice_is_an_alert(item: str, workspaces: Workspaces) -> None:
    """A repeated activity raises an alert, as the documentation warns."""

    def twice() -> Story:
        story = quiet()
        story.records["activities"] *= 2
        return story

    assert workspaces(quiet, "ours").ask(query_of(item), "1h") == []
    assert workspaces(twice, "ours").ask(query_of(item), "1h") != []


def test_more_columns_fill_the_state_of_agents(workspaces: Workspaces) -> None:
    """The documented columns fill the state of agents."""
    item = "hunting/AgentStatus"
    found = workspaces(eventful, "more columns").ask(query_of(item), "24h")
    assert ordered(found) == ordered(STORIES["eventful"][1][item])


def test_our_parser_on_the_connectors_rows(workspaces: Workspaces) -> None:
    """On the connector's rows, which have the agent's creation time, a daily hunt finds none."""
    workspace = workspaces(eventful, "connector with our parser")
    assert len(workspace.ask(query_of("workbook/AgentsByVersion"))) == 2
    assert workspace.ask(query_of("hunting/AgentNotUpdated"), "24h") == []


@pytest.mark.parametrize("setting", ["aliases", "parser"])
def test_new_addresses_of_administrators(setting: str, workspaces: Workspaces) -> None:
    """The documented replacement of the rule that never fires finds new addresses."""
    query = documented("kusto", "DataRole")

    def first_login() -> Story:
        story = Story()
        story.login("Femke", 30, "203.0.113.5")
        story.login("Vera", 3 * 24 * 60, "192.0.2.1", role="Viewer")
        story.login("Vera", 30, "192.0.2.7", role="Viewer")
        story.login("Jan", 3 * 24 * 60, "192.0.2.9")
        story.login("Jan", 30, "192.0.2.9")
        return story

    found = workspaces(eventful, setting).ask(query, "14d")
    assert [(row["SrcUserName"], row["Address"]) for row in found] == [("Femke", "198.51.100.7")]
    assert workspaces(quiet, setting).ask(query, "14d") == []
    assert workspaces(first_login, setting).ask(query, "14d") == []


def test_users_by_alerts(workspaces: Workspaces) -> None:
    """The documented replacement of the hunting query names users."""
    query = documented("kusto", "LastLoggedInUserName")
    found = workspaces(eventful, "parser").ask(query)
    assert ordered(found) == ordered([{"User": "anna", "Alerts": 2}, {"User": "ben", "Alerts": 1}])
    assert workspaces(quiet, "parser").ask(query) == []
