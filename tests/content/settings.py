"""Whose rows, and which parser over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from content.facts import OUR_PARSER, ROOT, microsofts_parser
from support.pages import blocks

if TYPE_CHECKING:
    from pathlib import Path

# The connector's first generation gives updates the time of creation; its other sources of columns
# differ in tables that no content reads (docs/reference/mappings.md).
CONNECTOR = {
    table: f'table = "SentinelOne{table}_CL"\n[columns]\n'
    f'TimeGenerated = {{ path = "{path}", type = "datetime" }}\n'
    for table, path in {
        "Agents": "$.createdAt",
        "Groups": "$.createdAt",
        "Threats": "$.threatInfo.createdAt",
    }.items()
}
FEWER_COLUMNS = """
table = "SentinelOneAgents_CL"
[columns]
LicenseKey = false
ActiveDirectory = false
"""


def documented(language: str, word: str) -> str:
    """The block of docs/how-to/content.md in a language that holds this word."""
    text = (ROOT / "docs/how-to/content.md").read_text()
    [block] = [block for block in blocks(text, language) if word in block]
    return block


@dataclass(frozen=True)
class Setting:
    """A user's own mapping files, and the parser's text."""

    files: Callable[[], dict[str, str]]
    parser: Callable[[], str]


SETTINGS = {
    "connector": Setting(lambda: CONNECTOR, microsofts_parser),
    "ours": Setting(dict, microsofts_parser),
    "aliases": Setting(lambda: {"mine": documented("toml", "aliases")}, microsofts_parser),
    "parser": Setting(dict, OUR_PARSER.read_text),
    "more columns": Setting(
        lambda: {"mine": documented("toml", "FirewallEnabled")}, OUR_PARSER.read_text
    ),
    "fewer columns": Setting(lambda: {"mine": FEWER_COLUMNS}, OUR_PARSER.read_text),
    "connector with our parser": Setting(lambda: CONNECTOR, OUR_PARSER.read_text),
}


def folder_of(setting: str, folder: Path) -> Path:
    """Write a setting's mapping files into a folder."""
    for name, text in SETTINGS[setting].files().items():
        (folder / f"{name}.toml").write_text(text)
    return folder
