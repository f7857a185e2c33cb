"""Hosts below `.invalid`: no command sends anything to an address of an example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Call

URL = "https://console.example.invalid"
CONSOLE = '[[consoles]]\nname = "acme"\nurl = "{}"\ntoken_file = "token"\n'
PROXY = CONSOLE.format("https://127.0.0.1:1") + 'proxy = "http://proxy.example.invalid:3128"\n'
AZURE = '[azure]\nendpoint = "https://dce.example.invalid"\ndcr_immutable_id = "dcr-0"\n'


@pytest.mark.parametrize(
    ("words", "text", "says"),
    [
        ("run --once", CONSOLE.format(URL), "config.toml: consoles.acme: url"),
        ("run", CONSOLE.format(URL + "/"), "config.toml: consoles.acme: url"),
        ("run", CONSOLE.format("Console.Example.INVALID.:8443"), "consoles.acme: url"),
        ("run", PROXY, "config.toml: consoles.acme: proxy"),
        ("run", '[handover]\nto = "https://x.invalid/"\n', "config.toml: handover.to"),
        ("run --to https://x.invalid/", CONSOLE.format("https://127.0.0.1:1"), "--to"),
        ("replay rows.ndjson", AZURE, "config.toml: azure.endpoint"),
        ("broker", AZURE, "config.toml: azure.endpoint"),
    ],
)
def test_refused_at_start(call: Call, tmp_path: Path, words: str, text: str, says: str) -> None:
    """A command that would use a placeholder ends with status 2 and names the key."""
    (tmp_path / "token").write_text("t")
    (tmp_path / "rows.ndjson").touch()
    (tmp_path / "config.toml").write_text(text)
    errors = call(*words.split(), status=2).stderr.decode()
    assert says in errors
    assert "is a placeholder; write the real address" in errors


def test_doctor(call: Call, tmp_path: Path) -> None:
    """`doctor` names the variable or the key that holds a placeholder."""
    shown = call("doctor", status=1, SENTINELONE_URL=URL, SENTINELONE_TOKEN="t").stdout.decode()
    assert f"environment: SENTINELONE_URL: {URL} is a placeholder" in shown
    (tmp_path / "config.toml").write_text(AZURE)
    assert "azure.endpoint: https://dce.example.invalid is a placeholder" in (
        call("doctor", status=1).stdout.decode()
    )


@pytest.mark.parametrize("words", ["map threats rows.json", "template"])
def test_commands_without_a_console(call: Call, tmp_path: Path, words: str) -> None:
    """Commands that ask no console work with a configuration that is not finished yet."""
    (tmp_path / "rows.json").write_text('{"data":[]}')
    state = f'[state]\npath = "{tmp_path / "state"}"\n'
    (tmp_path / "config.toml").write_text(state + CONSOLE.format(URL))
    assert b"placeholder" not in call(*words.split()).stderr
