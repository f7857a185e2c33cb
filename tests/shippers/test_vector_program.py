"""Vector's own word about our files: `vector validate` and `vector test`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shippers.vector import FOLDER, WAYS, text
from shippers.vector_run import command
from support.processes import surroundings

FILES = [f"{way}.{form}" for way in WAYS for form in ("yaml", "toml")]


@pytest.fixture
def vector() -> list[str]:
    """The command."""
    return command("vector")


def status(program: list[str], *arguments: object) -> tuple[int, str]:
    """The exit status of a command, and what it said."""
    done = subprocess.run(
        [*program, *map(str, arguments)],
        env=surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def with_secrets(name: str, folder: Path) -> Path:
    """A copy of a file whose secrets are there."""
    (folder / "client_secret").write_text("s3cr3t\n")
    copied = folder / name
    copied.write_text(text(name).replace("/etc/vector/secrets", str(folder)))
    return copied


@pytest.mark.parametrize("name", FILES)
def test_validate(vector: list[str], name: str) -> None:
    """`vector validate` accepts each shipped file, without a warning."""
    code, said = status(vector, "validate", "--no-environment", "--deny-warnings", FOLDER / name)
    assert code == 0, said


@pytest.mark.parametrize("name", FILES)
def test_validate_refuses(vector: list[str], name: str, tmp_path: Path) -> None:
    """`vector validate` refuses a file whose names do not fit together."""
    broken = tmp_path / name
    broken.write_text(text(name).replace("tables", "table", 1))
    code, said = status(vector, "validate", "--no-environment", "--deny-warnings", broken)
    assert code == 78, said


@pytest.mark.parametrize("name", FILES)
def test_vector_test(vector: list[str], name: str, tmp_path: Path) -> None:
    """`vector test` passes for each shipped file."""
    tests = FOLDER / f"tests-{name.partition('.')[0]}.yaml"
    code, said = status(vector, "test", with_secrets(name, tmp_path), tests)
    assert code == 0, said


@pytest.mark.parametrize("name", FILES)
def test_vector_test_fails(vector: list[str], name: str, tmp_path: Path) -> None:
    """`vector test` fails when a route is wrong."""
    spoiled = with_secrets(name, tmp_path)
    spoiled.write_text(spoiled.read_text().replace('"SentinelOneAlerts_CL"', '"Alerts_CL"', 1))
    tests = FOLDER / f"tests-{name.partition('.')[0]}.yaml"
    code, said = status(vector, "test", spoiled, tests)
    assert code != 0, said
