"""docs/how-to/prove-nothing-is-missing.md, typed from top to bottom."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import surroundings

PAGE = (Path(__file__).parents[2] / "docs/how-to/prove-nothing-is-missing.md").read_text()
READY = "until grep -q IDENTITY_HEADER dce.env && grep -q TOKEN console.env; do sleep 0.1; done"
FREE_PORTS = "demo dce --listen 127.0.0.1:0 --listen-tls 127.0.0.1:0"


def test_without_an_account(tmp_path: Path) -> None:
    """What is lost behind a 204 is named, sent, and found."""
    pytest.importorskip("duckdb_kql", reason="no engine for KQL on this machine")
    section = PAGE.partition("## Try it without an account")[2].partition("\n## ")[0]
    typed = "\n".join(re.findall(r"^\$ (.+)$", section, flags=re.MULTILINE))
    for before, after in (("sleep 3", READY), ("demo dce", FREE_PORTS)):
        assert before in typed
        typed = typed.replace(before, after)
    typed = re.sub(r"(verify .+)", r"\1; echo status $?", typed)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", typed],
        cwd=tmp_path,
        env=surroundings({"PATH": path}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        shown, errors = process.communicate(timeout=240)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    assert re.findall(r"status (\d)", shown) == ["1", "0"], shown + errors
    assert "default/activities: missing " in shown.partition("status 1")[0]
    assert "missing" not in shown.partition("status 1")[2].replace("  missing", "")
