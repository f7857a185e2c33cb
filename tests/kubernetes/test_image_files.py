"""What the image is made of, where nothing can be built."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCKS = ROOT / "deploy/requirements"


def locked(name: str) -> dict[str, str]:
    """Packages and their versions in a lock; every one of them must have hashes."""
    found = {}
    for entry in re.split(r"\n(?=\w)", (LOCKS / f"{name}.txt").read_text()):
        pinned = re.match(r"([\w-]+)==([\w.]+)", entry)
        if pinned:
            assert "--hash=sha256:" in entry, entry
            found[pinned[1].lower()] = pinned[2]
    return found


@pytest.mark.parametrize("name", ["PYTHON_BUILD", "PYTHON_RUNTIME"])
def test_bases_are_pinned(name: str) -> None:
    """Each base image has a tag and a digest."""
    [base] = re.findall(rf"^ARG {name}=(\S+)$", DOCKERFILE, flags=re.MULTILINE)
    assert re.fullmatch(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base)
    assert f"FROM ${{{name}}}" in DOCKERFILE


def test_no_other_base() -> None:
    """The Dockerfile has two stages, one for each pinned base."""
    assert len(re.findall(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)) == 2


def test_user_and_command() -> None:
    """The image runs `sentinelone-source run` by default, as a user with a number."""
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.findall(r"^USER (.+)$", last, flags=re.MULTILINE)[-1] == "65532:65532"
    assert 'ENTRYPOINT ["sentinelone-source"]' in last
    assert 'CMD ["run"]' in last


def test_no_shell_in_what_runs() -> None:
    """No `RUN` of the second stage needs a shell, which its base does not have."""
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert all(one.startswith("[") for one in re.findall(r"^RUN (.+)$", last, flags=re.MULTILINE))


def test_externally_managed() -> None:
    """The first stage lets pip install into Debian's Python before it runs pip."""
    first = DOCKERFILE.partition("FROM ${PYTHON_RUNTIME}")[0]
    given = first.index("PIP_BREAK_SYSTEM_PACKAGES=1")
    assert given < first.index("-m pip install")


@pytest.mark.parametrize("construct", ["COPY --link", "<<", "type=tmpfs"])
def test_old_builders(construct: str) -> None:
    """The Dockerfile has no construct that Podman of Debian 12 lacks or builds otherwise."""
    assert construct not in DOCKERFILE


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("base", [*PROJECT["project"]["dependencies"], *EXTRAS["fast"]]),
        ("azure", EXTRAS["azure"]),
        ("build", PROJECT["build-system"]["requires"]),
    ],
)
def test_locks(lock: str, wanted: list[str]) -> None:
    """Each lock has the required packages, in versions that are allowed."""
    packages = locked(lock)
    for requirement in map(Requirement, wanted):
        assert requirement.name.lower() in packages
        assert requirement.specifier.contains(packages[requirement.name.lower()]), requirement


def test_same_packages_with_and_without_azure() -> None:
    """The lock for Azure has every package of the base lock, in the same version."""
    assert locked("base").items() <= locked("azure").items()


def test_context_has_all_files() -> None:
    """.dockerignore lets in every file that goes into the wheel."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line.removeprefix("!") for line in lines if line.startswith("!")]
    let_in.remove("deploy")
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    for path in (*wheel["packages"], *wheel["force-include"], "deploy/requirements"):
        assert any(path == one or path.startswith(f"{one}/") for one in let_in), path
