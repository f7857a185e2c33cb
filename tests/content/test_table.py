"""docs/how-to/content.md says what the tests of this folder have found."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from content.facts import ITEMS, OUR_PARSER, ROOT

TEXT = (ROOT / "docs/how-to/content.md").read_text()
SETTINGS = ("connector", "ours", "aliases", "parser")
VERDICTS = ("works", "partly", "never", "error")
KINDS = {
    "rules": "Analytic rules",
    "hunting": "Hunting queries",
    "workbook": "Tiles of the workbook",
}


def table(title: str) -> list[list[str]]:
    """The cells below a heading, without the head of their table."""
    [section] = re.findall(rf"^##+ {title}\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [line.split(" | ") for line in lines[1:]]


@pytest.mark.parametrize("kind", KINDS)
def test_verdicts(kind: str) -> None:
    """docs/how-to/content.md has the verdict of every item, and what it lacks."""
    documented = {name: (cells[:4], why) for name, *cells, why in table(KINDS[kind])}
    items = {
        facts["name"].removeprefix("Sentinel One - "): facts
        for item, facts in ITEMS.items()
        if item.startswith(f"{kind}/")
    }
    assert documented.keys() == items.keys()
    for name, facts in items.items():
        verdicts, why = documented[name]
        assert verdicts == [facts["verdicts"][setting] for setting in SETTINGS], name
        lacking = {column for columns in facts["lacking"].values() for column in columns}
        assert all(f"`{column}`" in why for column in lacking), name


def test_sums() -> None:
    """The summary counts the verdicts of the tables."""
    counts = [
        Counter(facts["verdicts"][setting] for facts in ITEMS.values()) for setting in SETTINGS
    ]
    assert [[int(cell) for cell in cells] for _, *cells in table("What works")] == [
        [count[verdict] for verdict in VERDICTS] for count in counts
    ]


def test_columns_of_our_parser() -> None:
    """docs/how-to/content.md and the parser's head name the columns that it fills."""
    from content.test_parser import FILLED, SPELLINGS

    known = set().union(*FILLED.values(), *(wanted for _, wanted in SPELLINGS))
    known |= {"FirewallEnabled", "LocationEnabled", "OperationalState"}
    documented = [cells[0] for cells in table("The improved parser")]
    head = OUR_PARSER.read_text().partition("\n\n")[0].partition("A table that does not exist")[0]
    for text in (" ".join(documented), head):
        assert known - {"DataNewValue"} <= set(re.findall(r"\w+", text))
    columns = {name for cell in documented for name in re.findall(r"`(\w+)`", cell)}
    assert columns == known - {"DataNewValue"}
