"""The whole way on one machine: through a shipper that is installed, else by replay."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.processes import Running

TESTS = Path(__file__).parents[1]
NOTHING = {"PATH": "/nonexistent", "FLUENT_BIT": "", "VECTOR": ""}


@pytest.fixture
def pipeline(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Runs `demo --pipeline`; gives the exit status and what it says."""

    def run(*arguments: str, **environ: str) -> tuple[int, str]:
        with Running(
            "demo",
            "--pipeline",
            "--seconds",
            "2",
            *arguments,
            folder=tmp_path,
            environ=NOTHING | environ,
        ) as running:
            return running.wait(), running.errors

    return run


def arrived(said: str) -> int:
    """How many rows arrived, which must be all that were handed over."""
    found = re.search(r"^(\d+) rows were handed over, (\d+) arrived$", said, re.MULTILINE)
    assert found, said
    assert found[1] == found[2]
    return int(found[1])


def test_without_a_shipper(pipeline: Callable[..., tuple[int, str]]) -> None:
    """Without a shipper `replay` sends the rows, and all of them arrive."""
    status, said = pipeline()
    assert status == 0, said
    assert "→ replay (no Fluent Bit or Vector is installed) →" in said
    assert arrived(said) > 20
    assert len(re.findall(r"SentinelOne\w+_CL +[1-9]", said)) == 5


def test_through_vector(pipeline: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """A Vector that is installed is used, and every row arrives through it."""
    program = tmp_path / "vector"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {TESTS}/doubles/vector.py "$@"\n')
    program.chmod(0o755)
    status, said = pipeline(VECTOR=str(program))
    assert status == 0, said
    assert "→ Vector →" in said
    assert arrived(said) > 20


def test_through_fluent_bit(pipeline: Callable[..., tuple[int, str]], fluent_bit: str) -> None:
    """A Fluent Bit that is installed is used, and every row arrives through it."""
    status, said = pipeline(FLUENT_BIT=fluent_bit)
    assert status == 0, said
    assert "→ Fluent Bit →" in said
    assert arrived(said) > 20


@pytest.mark.parametrize("program", ["/bin/false", "/nonexistent/fluent-bit"])
def test_a_shipper_that_does_not_start(
    pipeline: Callable[..., tuple[int, str]], program: str
) -> None:
    """A shipper that does not start is an error that names it."""
    status, said = pipeline(FLUENT_BIT=program)
    assert status == 1
    assert program in said
    assert "Traceback" not in said


def test_tables_of_ones_own(pipeline: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """A column of a user's own mapping arrives."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "threats.toml").write_text(
        'table = "SentinelOneThreats_CL"\n[columns]\nSha1 = "$.threatInfo.sha1"\n'
    )
    (tmp_path / "config.toml").write_text('[mappings]\npath = "mappings"\n')
    status, said = pipeline("--config", str(tmp_path / "config.toml"))
    assert status == 0, said
    assert "dropped" not in said
