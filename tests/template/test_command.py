"""`template` as a person uses it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mapping.files import GOOD, write
from sentinelone_source.template.generator import generate
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


@pytest.mark.parametrize("language", ["arm", "bicep", "terraform"])
def test_standard_output(language: str, tmp_path: Path) -> None:
    """What is piped into a file is not the template alone."""
    done = template(tmp_path, "--format", language, "--only", "tables", "--with-parser")
    wanted = generate(plan_tables(), language, only="tables", with_parser=True)
    assert (done.stdout, done.stderr) == (wanted, "")


def test_a_file(tmp_path: Path) -> None:
    """`-o` writes something else, or nowhere."""
    done = template(tmp_path, "-o", tmp_path / "main.json")
    assert done.stdout == ""
    assert done.stderr == (
        f"{tmp_path / 'main.json'}: 5 tables with 164 columns; how to deploy it: docs/azure.md\n"
    )
    assert (tmp_path / "main.json").read_text() == generate(plan_tables())


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A path that does not exist ends in a traceback."""
    done = template(tmp_path, "-o", tmp_path / "none" / "main.json", status=2)
    assert error_of(done) == (
        f"--output: {tmp_path}/none/main.json: cannot be written: No such file or directory"
    )


def test_options_that_contradict(tmp_path: Path) -> None:
    """A parser that was asked for is left out without a word."""
    done = template(tmp_path, "--only", "rule", "--with-parser", status=2)
    assert error_of(done).startswith("--with-parser: the function belongs to the tables")


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        (GOOD.replace("Name =", "Type ="), "things.toml", "Things_CL: column Type: the name is"),
        (
            'stream = "Things"\n' + GOOD,
            "things.toml",
            "Things_CL: stream: 'Things' must begin with Custom-, as 'Custom-Things_CL'",
        ),
        (
            'table = "SentinelOneThreats_CL"\n[columns]\nUsername = false\nUSERNAME = "$.x"\n',
            "threats.toml",
            "SentinelOneThreats_CL: column USERNAME: there is a column Username already",
        ),
    ],
    ids=["reserved", "stream", "case"],
)
def test_mistakes_in_a_mapping(text: str, name: str, wanted: str, tmp_path: Path) -> None:
    """Nobody is told which line of which file Azure would not take."""
    config = configured(tmp_path, text, name)
    done = template(tmp_path, "--config", config, status=2)
    assert error_of(done).startswith(f"{tmp_path / 'mappings' / name}: {wanted}")


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    """The template leaves out what the configuration's mappings add."""
    done = template(tmp_path, "--config", configured(tmp_path, GOOD))
    assert '"Custom-Things_CL"' in done.stdout


def test_another_type_is_said(tmp_path: Path) -> None:
    """A column whose type Azure will not change, and nobody knows why."""
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


def test_imports(tmp_path: Path) -> None:
    """A template cannot be had without the extra `azure`, or uses the network."""
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
