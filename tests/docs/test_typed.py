"""Pages that a new user follows, typed from top to bottom."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import surroundings

pytestmark = pytest.mark.timeout(900)
DOCS = Path(__file__).parents[2] / "docs"
FREE_PORTS = {
    "demo dce": "demo dce --listen 127.0.0.1:0 --listen-tls 127.0.0.1:0",
    "demo console": "demo console --port 0",
}
CONSOLE_READY = "until grep -q TOKEN console.env; do sleep 0.1; done"
AZURE_READY = "until grep -q IDENTITY_HEADER dce.env; do sleep 0.1; done"


def commands(page: str, first: str, last: str) -> str:
    """What a reader types between two headings, lines that go into a file too."""
    text = (DOCS / page).read_text().partition(f"## {first}")[2].partition(f"## {last}")[0]
    blocks = re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    typed = re.findall(r"^\$ (.+<<'END'\n(?:.*\n)*?END|.+)$", "".join(blocks), re.MULTILINE)
    return "\n".join(typed)


def type_in(folder: Path, typed: str, replaced: dict[str, str]) -> str:
    """The output of commands, with ports that are free and waits for what they wait for."""
    for before, after in replaced.items():
        assert before in typed
        typed = typed.replace(before, after)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", typed],
        cwd=folder,
        env=surroundings({"PATH": path}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        shown, errors = process.communicate(timeout=800)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    sys.stderr.write(errors)
    return shown


def test_first_run(tmp_path: Path) -> None:
    """Rows, the state, doctor's checks and a new column are shown as the page says."""
    shown = type_in(
        tmp_path,
        commands("tutorial/first-run.md", "2. ", "5. ") + "\nkill %1",
        {
            ". .venv/bin/activate": "true",
            "cd $(mktemp -d)": "true",
            "sleep 3": CONSOLE_READY,
            "demo console": FREE_PORTS["demo console"],
        },
    )
    rows = len((tmp_path / "rows.ndjson").read_bytes().splitlines())
    assert f"{rows} rows.ndjson" in shown
    for line in ("console  feed ", "ok       console default", '"Sha1":"', "skipped  azure"):
        assert line in shown, shown


def test_first_row(tmp_path: Path) -> None:
    """The rehearsal brings every row of the demo console to the endpoint."""
    shown = type_in(
        tmp_path,
        commands("tutorial/first-row.md", "1. ", "2. "),
        {
            "sleep 3": AZURE_READY,
            "sleep 1": "wait %1",
            "--seconds 10": "--seconds 3",
            "demo dce": FREE_PORTS["demo dce"],
        },
    )
    rows = len((tmp_path / "rows.ndjson").read_bytes().splitlines())
    assert f"\n{rows} rows in " in shown, shown
    assert shown.count("accepts rows") == 5


def test_prove_that_nothing_is_missing(tmp_path: Path) -> None:
    """What is lost behind a 204 is named, sent, and found."""
    pytest.importorskip("duckdb_kql", reason="no engine for KQL on this machine")
    typed = commands(
        "how-to/prove-nothing-is-missing.md", "Try it without an account", "What verify"
    )
    shown = type_in(
        tmp_path,
        re.sub(r"(verify .+)", r"\1; echo status $?", typed),
        {"sleep 3": f"{AZURE_READY}; {CONSOLE_READY}", **FREE_PORTS},
    )
    assert re.findall(r"status (\d)", shown) == ["1", "0"], shown
    first, _, second = shown.partition("status 1")
    assert "default/activities: missing " in first
    assert "missing" not in second.replace("  missing", "")


def test_backfill(tmp_path: Path) -> None:
    """The past is read beside a poller, without a row that both have."""
    shown = type_in(
        tmp_path,
        commands("how-to/backfill.md", "Try it", "In production"),
        {
            "sleep 3": CONSOLE_READY,
            "sleep 5": "until [ $(grep -c swept run.log) -ge 5 ]; do sleep 0.1; done",
            "demo console": FREE_PORTS["demo console"],
        },
    )
    past = len((tmp_path / "past.ndjson").read_bytes().splitlines())
    assert past
    found = re.match(rf" *{past} past.ndjson\n.* run.ndjson\n.* total\n(\d+)\n$", shown)
    assert found, shown
    assert 0 < int(found[1]) <= past  # threats may have changed since
