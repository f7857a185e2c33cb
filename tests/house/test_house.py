"""The rooms of the package: what each may import, as docs/explanation/architecture.md says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from importlib.metadata import distributions
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sentinelone_source

ROOT = Path(__file__).parents[2]
PACKAGE = Path(sentinelone_source.__file__).parent
PAGE = (ROOT / "docs/explanation/architecture.md").read_text()
EVERYWHERE = {"errors", "times", "timings"}
MAY_IMPORT = {
    room: set(re.findall(r"`(\w+)`", others))
    for room, others in re.findall(r"^\| `(\w+)` \| [^|]+ \|([^|]*)\|$", PAGE, re.MULTILINE)
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


def imported_rooms(room: str) -> dict[str, set[str]]:
    """The other rooms that each module of a room imports."""
    return {
        path.name: {
            name.split(".")[1]
            for name in imports(path)
            if name.startswith("sentinelone_source.") and name != "sentinelone_source.__version__"
        }
        - {room}
        for path in modules(room)
    }


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_rooms_import_only_what_the_page_allows(room: str) -> None:
    """A room imports the rooms of its row in docs/explanation/architecture.md, and no other."""
    for module, rooms in imported_rooms(room).items():
        assert rooms <= MAY_IMPORT[room] | EVERYWHERE, module


def test_rooms_form_no_circle() -> None:
    """The rooms can be put in an order in which each imports only earlier ones."""
    graph = {room: set().union(*imported_rooms(room).values()) for room in MAY_IMPORT}
    assert {"feed", "cli"} <= set(TopologicalSorter(graph).static_order())
    assert [room for room, others in graph.items() if "demo" in others] == ["cli"]
    assert not any("cli" in others for others in graph.values())


@pytest.mark.parametrize("room", ["mapping", "feed", "config", "template"])
def test_no_network_where_none_belongs(room: str) -> None:
    """A room that does no networking imports no network library."""
    for path in modules(room):
        assert not {name.split(".")[0] for name in imports(path)} & NETWORK, path.name


def test_every_room_has_a_row() -> None:
    """Every folder and module of the package is a room of the page."""
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__main__", "__pycache__", "mappings"} == set(MAY_IMPORT)


def test_the_files_on_the_way_of_a_page_exist() -> None:
    """Each file that the page names for the way of a page is there."""
    [told] = re.findall(r"^Twelve files .*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    files = re.findall(r"`([\w/]+)`", told)
    assert len(files) == 12 + 1
    assert [name for name in files if not (PACKAGE / f"{name}.py").is_file()] == []


def test_a_class_name_has_one_bearer() -> None:
    """No two classes of the package, the tests and the benchmarks have the same name."""
    names = Counter(
        node.name
        for folder in (PACKAGE, ROOT / "tests", ROOT / "bench")
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, bearers in names.items() if bearers > 1] == []


def test_each_test_says_what_holds() -> None:
    """Each test has a docstring."""
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize("extra", ["azure", "dev"])
def test_extras_are_installed(extra: str) -> None:
    """What `make test` installs is there, so no test is skipped for want of it."""
    project = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = map(Requirement, project["optional-dependencies"][extra])
    here = {canonicalize_name(one.name) for one in distributions()}
    missing = {
        one.name
        for one in wanted
        if (one.marker is None or one.marker.evaluate()) and canonicalize_name(one.name) not in here
    }
    assert missing == set()


def test_the_polling_path_imports_only_what_it_uses() -> None:
    """The polling path imports neither Azure, JSONPath's parser, the demo nor metrics."""
    program = (
        "import sys; from sentinelone_source.cli.run import command;"
        "from sentinelone_source import service;"
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
