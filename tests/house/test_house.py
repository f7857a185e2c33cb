"""The rooms of the house: who may know whom, and what every one of them keeps to."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sentinelone_source

ROOT = Path(__file__).parents[2]
PACKAGE = Path(sentinelone_source.__file__).parent
COMMON = {"errors", "times", "timings", "worker_threads", "toml", "http", "secret_file", "jwt"}
MAY_KNOW = {
    "errors": set(),
    "times": set(),
    "timings": set(),
    "http": {"errors", "times", "timings", "config"},
    "worker_threads": set(),
    "toml": {"errors"},
    "memory": set(),
    "secret_file": {"errors"},
    "jwt": set(),
    "telemetry": COMMON | {"config", "console", "feed", "handover"},
    "config": COMMON,
    "mapping": COMMON,
    "console": COMMON | {"config"},
    "handover": COMMON | {"config"},
    "replay": COMMON | {"azure", "handover", "mapping"},
    "feed": COMMON | {"console", "mapping", "handover"},
    "service": COMMON | {"config", "console", "feed", "memory"},
    "assembly": COMMON
    | {"config", "console", "mapping", "feed", "handover", "service", "telemetry"},
    "azure": COMMON | {"config", "console", "mapping"},
    "template": COMMON | {"mapping"},
    "doctor": COMMON | {"azure", "config", "console", "feed", "mapping", "template"},
    "demo": COMMON | {"config", "assembly", "service", "telemetry", "mapping"},
}
NETWORK = {"requests", "urllib3", "socket", "http", "ssl"}


def imports(path: Path) -> set[str]:
    """Full names of all that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules(room: str) -> list[Path]:
    """The modules of a room: a folder of the package, or one file."""
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]


@pytest.mark.parametrize("room", sorted(MAY_KNOW))
def test_rooms_know_only_their_neighbours(room: str) -> None:
    """An import against the direction of the data: a record's way through the house has a loop."""
    for path in modules(room):
        known = {
            name.split(".")[1]
            for name in imports(path)
            if name.startswith("sentinelone_source.") and name != "sentinelone_source.__version__"
        }
        assert known <= MAY_KNOW[room] | {room}, path.name


@pytest.mark.parametrize("room", ["mapping", "feed", "config"])
def test_no_network_where_none_belongs(room: str) -> None:
    """A room that has no business on the network opens a connection of its own."""
    for path in modules(room):
        assert not {name.split(".")[0] for name in imports(path)} & NETWORK, path.name


def test_every_room_has_its_rules() -> None:
    """A new room of which nobody said whom it may know."""
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__main__", "__pycache__", "mappings", "cli"} == set(MAY_KNOW)


def test_tests_say_what_breaks() -> None:
    """A test without the one line that says what would be broken if it failed."""
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_the_polling_path_imports_only_what_it_uses() -> None:
    """A start-up that pays for Azure, JSONPath's parser, the demo or metrics unused."""
    program = (
        "import sys; from sentinelone_source.cli.run import command;"
        "from sentinelone_source import assembly;"
        "from sentinelone_source.mapping.spec.files import load_mappings;"
        "from sentinelone_source.mapping.mapper import Mapper;"
        "[Mapper(mapping) for mapping in load_mappings().values()];"
        "print(*sorted({name.split('.')[0] for name in sys.modules}),"
        "'sentinelone_source.demo' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert shown[-1] == "False"
    unused = {"msal", "azure", "jsonpath_ng", "prometheus_client"}
    assert not unused & set(shown)
