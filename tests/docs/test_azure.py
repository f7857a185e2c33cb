"""docs/azure.md and the template say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentinelone_source.cli.template import command
from sentinelone_source.config import load_settings
from sentinelone_source.template.parameters import outputs
from sentinelone_source.template.resources import describe
from sentinelone_source.template.tables import plan_tables

PAGE = (Path(__file__).parents[2] / "docs/azure.md").read_text()
DEPLOYMENT = describe(plan_tables(), parser="x")


@pytest.mark.parametrize("parameter", DEPLOYMENT.parameters, ids=lambda p: p.name)
def test_parameters(parameter: object) -> None:
    """A parameter of the template that nobody can look up, or with another default."""
    name, snake, default = parameter.name, parameter.snake, parameter.default  # type: ignore[attr-defined]
    [row] = [
        line
        for line in PAGE.splitlines()
        if line.startswith("|") and (f"| `{name}` |" in line or f"| `{snake}` |" in line)
    ]
    _, arm, terraform, shown, _ = (cell.strip() for cell in row.split("|", 4))
    languages = parameter.languages  # type: ignore[attr-defined]
    assert (arm == f"`{name}`") == ("arm" in languages)
    assert (terraform == f"`{snake}`") == ("terraform" in languages)
    if default is None:
        assert shown == ""
    elif isinstance(default, str | int) and default != "":
        assert shown == f"`{default}`"


def test_outputs() -> None:
    """An output that the page does not show how to read."""
    for output in outputs():
        assert f"{output.name}:{output.name}.value" in PAGE


def test_configuration(tmp_path: Path) -> None:
    """The page's config.toml does not work when it is copied."""
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    [azure] = [block for block in blocks if "[azure]" in block]
    path = tmp_path / "config.toml"
    path.write_text(azure)
    settings = load_settings(path, {})
    assert settings.azure.dcr_immutable_id.startswith("dcr-")
    for output in outputs():
        assert f"\n{output.name} = " in azure


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `sentinelone-source template` of the page that is refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text("")
    typed = re.findall(r"^\$ sentinelone-source template (.+)$", PAGE, flags=re.MULTILINE)
    assert len(typed) > 4
    for line in typed:
        done = CliRunner().invoke(command, line.split(), catch_exceptions=False)
        assert done.exit_code == 0, line


def test_names_of_resources() -> None:
    """A command of the page looks for a resource of another name."""
    for resource in DEPLOYMENT.resources:
        if resource.lasting:
            assert f"`{resource.key}`" in PAGE or f".{resource.key}" in PAGE
    assert "--name errors-to-workspace" in PAGE
    for alert in ("rows-dropped", "transformation-errors"):
        assert f"--name dcr-sentinelone-{alert}" in PAGE
