"""The command line as a person uses it: a process, what it says, and its status."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from support.processes import COMMAND, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Runs a command in an empty folder; fails unless it ends as expected."""

    def run(
        *arguments: object, status: int = 0, given: bytes = b"", **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=given,
            cwd=tmp_path,
            env=surroundings(environ),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        return done

    return run
