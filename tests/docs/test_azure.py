"""docs/how-to/azure.md and the template say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentinelone_source.cli.template import command
from sentinelone_source.config.settings import load_settings
from sentinelone_source.template.generate import generate
from sentinelone_source.template.tables import plan_tables
from support.pages import blocks
from support.templates import EXPRESSION, parse

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
PAGE = (HOW_TO / "azure.md").read_text()
TEMPLATE = parse("arm", generate(plan_tables(), with_parser=True))


@pytest.mark.parametrize("name", TEMPLATE.parameters)
def test_parameters(name: str) -> None:
    """The page has a row for each parameter, with its Terraform name and its default."""
    default = TEMPLATE.parameters[name][1]
    snake = re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", name)
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    _, _, terraform, shown, _ = (cell.strip() for cell in row.split("|", 4))
    assert terraform == ("(the workspace's)" if name == "location" else f"`{snake}`")
    if default is None:
        assert shown == ""
    elif default not in ("", EXPRESSION):
        assert shown == f"`{str(default).lower()}`"


def test_outputs() -> None:
    """The page shows how to read each output."""
    for output in TEMPLATE.outputs:
        assert f"{output}:{output}.value" in PAGE


def test_configuration(tmp_path: Path) -> None:
    """The config.toml of the page can be copied."""
    [azure] = [block for block in blocks(PAGE, "toml") if "[azure]" in block]
    path = tmp_path / "config.toml"
    path.write_text(azure)
    settings = load_settings(path, {})
    assert settings.azure.dcr_immutable_id.startswith("dcr-")
    for output in TEMPLATE.outputs:
        assert f"\n{output} = " in azure


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `sentinelone-source template` of the page is accepted."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text("")
    typed = re.findall(r"^\$ sentinelone-source template (.+)$", PAGE, flags=re.MULTILINE)
    assert len(typed) > 4
    for line in typed:
        done = CliRunner().invoke(command, line.split(" > ")[0].split(), catch_exceptions=False)
        assert done.exit_code == 0, line


def test_names_of_resources() -> None:
    """The commands of the pages name the resources that the template deploys."""
    migration = (HOW_TO / "migrate-from-the-connector.md").read_text()
    assert "'azapi_resource.table[\"SentinelOneThreats_CL\"]'" in migration
    for name in ("errors-to-workspace", "dcr-sentinelone-rows-dropped"):
        assert f"--name {name}" in PAGE
    assert "--name dcr-sentinelone-transformation-errors" in PAGE
