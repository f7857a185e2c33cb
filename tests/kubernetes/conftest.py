"""The podman of this machine and the images of the pod; who needs what is not there is skipped."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from kubernetes.kubelite import roots
from kubernetes.kubelite.images import built, fetched, imported
from kubernetes.kubelite.podman import Podman, PodmanError

Build = Callable[..., str]

ROOT = Path(__file__).parents[2]
LOCKS = [ROOT / "deploy/requirements" / name for name in ("azure.txt", "build.txt")]
BASES = {
    "PYTHON_BUILD": "localhost/python-build:test",
    "PYTHON_RUNTIME": "localhost/python-runtime:test",
}


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """One that can run a container of this machine's Python."""
    if os.geteuid() or not all(map(shutil.which, ("podman", "unshare", "ldd"))):
        pytest.skip("needs root, podman, unshare and ldd")
    folder = tmp_path_factory.mktemp("podman")
    reasons = []
    for driver in ("overlay", "vfs"):
        candidate = Podman(folder / driver, driver)
        try:
            imported(candidate, "python-runtime", folder / f"roots-{driver}", roots.python_root)
            run = ("run", "--rm", "--network=none", BASES["PYTHON_RUNTIME"], "/usr/bin/python3")
            candidate(*run, "-c", "")
        except PodmanError as error:
            reasons.append(f"{driver}: {error}")
            continue
        yield candidate
        candidate.remove()
        return
    pytest.skip(f"podman cannot run containers here: {'; '.join(reasons)}")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy/requirements names."""
    folder = tmp_path_factory.mktemp("wheels")
    if trouble := fetched(sys.executable, LOCKS, folder):
        pytest.skip(f"no wheels for the image: {trouble}")
    return folder


@pytest.fixture(scope="session")
def build(podman: Podman, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Makes deploy/Dockerfile's image under a name; gives its id."""
    imported(podman, "python-build", tmp_path_factory.mktemp("roots"), roots.build_root)

    def build(tag: str, extras: str = "base", *, fresh: bool = False) -> str:
        return built(podman, ROOT, tag, {"EXTRAS": extras, **BASES}, wheels, fresh=fresh)

    return build


@pytest.fixture(scope="session")
def image(build: Build) -> str:
    """Ours, as it is by default."""
    build("localhost/sentinelone-source:test")
    return "localhost/sentinelone-source:test"


@pytest.fixture(scope="session")
def azure_image(build: Build) -> str:
    """Ours, with what the broker needs."""
    build("localhost/sentinelone-source:azure", "azure")
    return "localhost/sentinelone-source:azure"


@pytest.fixture(scope="session")
def stand_in(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What stands in for Fluent Bit."""
    return imported(podman, "stand-in", tmp_path_factory.mktemp("roots"), stand_in_root)


@pytest.fixture(scope="session")
def fluent_bit_image(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fluent Bit itself, where there is one."""
    program = os.environ.get("FLUENT_BIT") or shutil.which("fluent-bit")
    if program is None:
        pytest.skip("no Fluent Bit: set FLUENT_BIT to its path, or put fluent-bit on PATH")
    place = Path("/fluent-bit/bin/fluent-bit")
    fill = partial(roots.program_root, program=Path(program), place=place)
    return imported(podman, "fluent-bit", tmp_path_factory.mktemp("roots"), fill)


@pytest.fixture(scope="session", params=["stand_in", "fluent_bit_image"])
def shipper_image(request: pytest.FixtureRequest) -> str:
    """Each of them."""
    name = request.getfixturevalue(request.param)
    assert isinstance(name, str)
    return name


@pytest.fixture(scope="session")
def vector_stand_in(podman: Podman, image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What stands in for Vector, on top of our image, whose packages it uses."""
    folder = tmp_path_factory.mktemp("vector")
    copy_package("yaml", folder / "program")
    shutil.copy2(ROOT / "tests/doubles/vector.py", folder / "program")
    program = '["/opt/sentinelone-source/bin/python3", "/program/vector.py"]'
    text = f"FROM {image}\nCOPY program /program\nENTRYPOINT {program}\nCMD []\n"
    (folder / "Containerfile").write_text(text)
    tag = "localhost/vector-stand-in:test"
    how = ("--quiet", "--pull=never", "--network=none", f"--tag={tag}")
    podman("build", *how, f"--file={folder / 'Containerfile'}", folder)
    return tag


def stand_in_root(folder: Path) -> None:
    """Where the manifests look for Fluent Bit, a program that behaves like it."""
    roots.python_root(folder)
    place = folder / "fluent-bit/bin"
    place.mkdir(parents=True)
    shutil.copy2(Path(__file__).with_name("stand_in.py"), place / "fluent-bit")
    (place / "fluent-bit").chmod(0o755)
    for name in ("doubles", "sentinelone_source", "structlog", "msgspec"):
        copy_package(name, place)


def copy_package(name: str, folder: Path) -> None:
    """A package of this Python, to where another can import it."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.submodule_search_locations is not None
    source = found.submodule_search_locations[0]
    shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
