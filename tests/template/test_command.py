"""The command `template`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mapping.files import GOOD, write
from sentinelone_source.template.generate import generate
from sentinelone_source.template.tables import plan_tables
from support.processes import COMMAND, surroundings

if TYPE_CHECKING:
    from pathlib import Path

IMPORTED = """
import sys
sys.argv = ["sentinelone-source", "template", "-o", "main.json"]
from sentinelone_source.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def template(folder: Path, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command; fails unless it ends as expected."""
    done = subprocess.run(
        [*COMMAND, "template", *map(str, arguments)],
        cwd=folder,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def configured(folder: Path, text: str, name: str = "things.toml") -> Path:
    """A configuration that names a folder with this mapping file."""
    mappings = folder / "mappings"
    mappings.mkdir()
    write(mappings, text, name)
    config = folder / "config.toml"
    config.write_text('[mappings]\npath = "mappings"\n')
    return config


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence that it ended with."""
    assert done.stdout == ""
    return str(json.loads(done.stderr)["error"])


@pytest.mark.parametrize("language", ["bicep", "tables"])
def test_standard_output(language: str, tmp_path: Path) -> None:
    """stdout has the template alone, ready to be piped into a file."""
    done = template(tmp_path, "--format", language)
    assert (done.stdout, done.stderr) == (generate(plan_tables(), language), "")


def test_a_file(tmp_path: Path) -> None:
    """`-o` writes the same to a file, and says what is in it."""
    done = template(tmp_path, "--only", "tables", "--with-parser", "-o", tmp_path / "main.json")
    tables = plan_tables()
    columns = sum(len(table.columns) for table in tables)
    assert done.stdout == ""
    assert done.stderr == (
        f"{tmp_path / 'main.json'}: {len(tables)} tables with {columns} columns; "
        "how to deploy it: docs/how-to/azure.md\n"
    )
    wanted = generate(tables, only="tables", with_parser=True)
    assert (tmp_path / "main.json").read_text() == wanted


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["-o", "none/main.json"], "--output: none/main.json: cannot be written: No such file or"),
        (["--only", "rule", "--with-parser"], "--with-parser: the function belongs to the tables"),
        (["--format", "tables", "--with-parser"], "--format tables: takes no --only and no --with"),
    ],
)
def test_options_that_are_wrong(arguments: list[str], wanted: str, tmp_path: Path) -> None:
    """A file that cannot be written and options that contradict are errors of one sentence."""
    assert error_of(template(tmp_path, *arguments, status=2)).startswith(wanted)


def test_a_mistake_in_a_mapping(tmp_path: Path) -> None:
    """A column that Azure would refuse is an error that names file, table and column."""
    config = configured(tmp_path, GOOD.replace("Name =", "Type ="))
    done = template(tmp_path, "--config", config, status=2)
    wanted = f"{tmp_path / 'mappings' / 'things.toml'}: Things_CL: column Type: the name is"
    assert error_of(done).startswith(wanted)


def test_columns_of_every_table(tmp_path: Path) -> None:
    """A column of `[mappings.columns]` is in every table and every stream."""
    config = configured(tmp_path, GOOD)
    config.write_text(config.read_text() + '[mappings.columns]\nTenant = { console = "name" }\n')
    tables = json.loads(template(tmp_path, "--config", config, "--format", "tables").stdout)
    assert all({"name": "Tenant", "type": "string"} in table["columns"] for table in tables)


def test_another_type_is_said(tmp_path: Path) -> None:
    """A built-in column with another type, which Azure will not change, is a warning."""
    text = (
        'table = "SentinelOneActivities_CL"\n[columns]\n'
        'ActivityType = { path = "$.activityType", type = "long" }\n'
    )
    done = template(tmp_path, "--config", configured(tmp_path, text, "activities.toml"))
    said = json.loads(done.stderr)
    assert (said["event"], said["level"]) == ("column_retyped", "warning")
    assert said["table"] == "SentinelOneActivities_CL"
    assert (said["column"], said["type"], said["expected"]) == ("ActivityType", "long", "real")
    assert '"name": "ActivityType",\n              "type": "long"' in done.stdout


@pytest.mark.untraced
def test_imports(tmp_path: Path) -> None:
    """The command needs neither the extra `azure` nor the network."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        cwd=tmp_path,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not set(done.stdout.split()) & {"azure", "msal", "requests", "urllib3", "sqlite3"}
