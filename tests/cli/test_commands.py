"""What every command has in common: help, a version, and no more imports than it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from sentinelone_source import __version__
from sentinelone_source.cli import commands
from support.processes import COMMAND, logs_of, surroundings
from support.tenancy import TABLES, TOKEN, table_of
from support.waiting import LONG, until

if TYPE_CHECKING:
    from cli.conftest import Call
    from support.tenancy import Tenancy

COMMANDS = ("run", "map", "doctor", "replay", "broker", "state", "template", "demo")
SUBCOMMANDS = (
    ("state", "show"),
    ("state", "rewind"),
    ("state", "reset"),
    ("demo", "console"),
    ("demo", "dce"),
)
HEAVY = {"requests", "msgspec", "sqlite3", "asyncio", "tomli", "jsonpath_ng", "msal", "azure"}
IMPORTED = """
import sys
sys.argv = ["sentinelone-source", *sys.argv[1:]]
from sentinelone_source.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("IMPORTED", *sorted(sys.modules), file=sys.stderr)
"""


def imported(folder: Path, *arguments: object) -> set[str]:
    """The modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *map(str, arguments)],
        cwd=folder,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split()[1:])


def test_version(call: Call) -> None:
    """`--version` prints the name and the version."""
    assert call("--version").stdout.decode() == f"sentinelone-source {__version__}\n"


@pytest.mark.untraced
def test_version_imports_nothing_heavy(tmp_path: Path) -> None:
    """`--version` imports none of the heavy libraries."""
    names = imported(tmp_path, "--version")
    assert not {name.partition(".")[0] for name in names} & HEAVY


def test_polling_imports_no_azure_and_no_demo(tenancy: Tenancy) -> None:
    """`run` imports neither Azure, JSONPath's parser nor the demo."""
    tenancy.populate(2)
    names = imported(tenancy.folder, "run", "--once", "--config", tenancy.config)
    assert "sentinelone_source.feed.sweep" in names
    assert not {name.partition(".")[0] for name in names} & {"msal", "azure", "jsonpath_ng"}
    assert not [name for name in names if name.startswith("sentinelone_source.demo")]


def test_help_names_every_command(call: Call) -> None:
    """`--help` and `-h` list every command."""
    text = call("--help").stdout.decode()
    assert all(f"\n  {command} " in text for command in COMMANDS)
    assert call("-h").stdout.decode() == text


@pytest.mark.parametrize("command", [*((name,) for name in COMMANDS), *SUBCOMMANDS], ids=" ".join)
def test_help(command: tuple[str, ...]) -> None:
    """Each command has a help text that shows its usage and options."""
    text = CliRunner().invoke(commands, [*command, "--help"], prog_name="sentinelone-source").output
    assert f"Usage: sentinelone-source {' '.join(command)}" in text
    assert "--help" in text


@pytest.mark.parametrize("arguments", [("walk",), ("run", "--twice")])
def test_wrong_usage(call: Call, arguments: tuple[str, ...]) -> None:
    """An unknown command or option ends with status 2, the usage, and nothing on stdout."""
    done = call(*arguments, status=2)
    assert done.stdout == b""
    assert b"Usage:" in done.stderr


@pytest.mark.parametrize("words", ["--help", "template", "map threats"])
def test_output_on_a_full_disk(words: str) -> None:
    """Output that cannot be written is an error with status 1, and one sentence."""
    record = b'{"id": "1", "threatInfo": {"updatedAt": "2026-01-01T00:00:00Z"}}'
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, *words.split()],
            input=record,
            env=surroundings(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    (failed,) = logs_of(done.stderr.decode())
    assert failed["error"] == "the output cannot be written: No space left on device"


def test_log_on_a_full_disk() -> None:
    """A log that cannot be written changes no status."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "map", "threats"], input=b"{}", env=surroundings(), stderr=full, check=False
        )
    assert done.returncode == 0


def test_demo(call: Call) -> None:
    """`demo` prints rows of all five tables, each once, and a summary on stderr."""
    done = call("demo", "--seconds", "3")
    rows = done.stdout.splitlines()
    assert {table_of(row) for row in rows} == set(TABLES.values())
    assert len(rows) == len(set(rows))
    summary = done.stderr.decode()
    assert f"{len(rows)} rows in 3 seconds:" in summary
    assert all(table in summary for table in TABLES.values())
    assert "duplicates suppressed" in summary
    assert not [line for line in summary.splitlines() if line.startswith("{")]


def test_demo_console(tenancy: Tenancy) -> None:
    """The console alone is polled with what it prints, and a stop signal ends it with status 0.

    A handler for SIGTERM is what lets it be process 1 of a container.
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "sentinelone_source", "demo", "console", "--port", "0"]
    with (
        subprocess.Popen(
            [*command, "--token", TOKEN],
            stderr=writing,
            stdout=subprocess.DEVNULL,
            env=surroundings(),
        ) as console,
        os.fdopen(reading) as printed,
    ):
        os.close(writing)
        words = dict(part.split("=", 1) for part in printed.readline().split())
        tenancy.configure(url=words["SENTINELONE_URL"])
        assert words["SENTINELONE_TOKEN"] == TOKEN
        with tenancy.start() as running:
            until(lambda: len(running.lines) >= 25, "rows of the demo console")
            assert running.stop() == 0
        console.terminate()
        assert console.wait(LONG) == 0


@pytest.mark.parametrize(
    ("words", "status"), [("demo console --port 0", 0), ("demo --seconds 600", 128 + SIGTERM)]
)
def test_process_1(words: str, status: int, tmp_path: Path) -> None:
    """SIGTERM ends a command that is process 1 of a container."""
    own_namespace = ["unshare", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.call([*own_namespace, "true"]):
        pytest.skip("no process namespace of one's own")
    command = [*own_namespace, sys.executable, "-m", "sentinelone_source", *words.split()]
    said = tmp_path / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=surroundings())
    try:
        until(lambda: said.stat().st_size > 0, "the command works")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        os.kill(int(children), SIGTERM)
        assert process.wait(LONG) == status
    finally:
        process.kill()
        process.wait()


def test_status_of_a_refusal(call: Call) -> None:
    """`run` without a configured console ends with status 2 and says so."""
    error: dict[str, Any] = logs_of(call("run", "--once", status=2).stderr.decode())[-1]
    assert "no console" in error["error"]


@pytest.mark.parametrize("seen", ["inspect", "click.core", "structlog"])
def test_interrupted_while_it_starts(tmp_path: Path, seen: str) -> None:
    """Ctrl-C while modules are imported ends the program without a traceback."""
    command = [sys.executable, "-X", "importtime", *COMMAND[1:], "state", "show"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, cwd=tmp_path, env=surroundings(), text=True
    ) as process:
        assert process.stderr is not None
        assert any(line.split()[-1] == seen for line in process.stderr)
        process.send_signal(SIGINT)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode in (1, 128 + SIGINT)
