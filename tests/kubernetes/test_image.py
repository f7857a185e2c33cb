"""The image: built here without a registry and without a network, and run as a pod runs it."""

from __future__ import annotations

import pytest

from kubernetes.conftest import Build
from kubernetes.kubelite.podman import Podman

pytestmark = [pytest.mark.shippers, pytest.mark.timeout(900)]  # images are built before the first
LOCKED = (
    "run",
    "--rm",
    "--network=none",
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
LOOK = """
import os, stat, sys
from importlib.util import cache_from_source
print(os.getuid(), os.getgid())
print([name for name in ("sh", "dash", "bash", "pip", "pip3") for folder in os.get_exec_path()
       if os.path.exists(os.path.join(folder, name))])
import sentinelone_source.service, sentinelone_source.cli.run
print(sorted(name for name, module in sys.modules.items()
             if (getattr(module, "__file__", None) or "").endswith(".py")
             and not os.path.exists(cache_from_source(module.__file__))))
special = stat.S_ISUID | stat.S_ISGID
print([path for folder, _, names in os.walk("/", onerror=None) for name in names
       if not folder.startswith(("/proc", "/sys"))
       and stat.S_ISREG((found := os.lstat(path := os.path.join(folder, name))).st_mode)
       and (found.st_mode & special or found.st_uid == os.getuid())])
"""


def test_runs_without_rights(podman: Podman, image: str) -> None:
    """The program starts without capabilities, a writable disk or a network."""
    assert podman(*LOCKED, image, "--version").startswith("sentinelone-source ")


def test_runs_by_default(podman: Podman, image: str) -> None:
    """A container without arguments polls: without a console it ends with status 2."""
    done = podman.run(*LOCKED, image)
    assert done.returncode == 2
    assert "console" in done.stderr


def test_holds_no_more(podman: Podman, image: str) -> None:
    """The image has bytecode for what it loads, and no shell, pip or setuid file."""
    found = podman(*LOCKED, "--entrypoint=python3", image, "-c", LOOK).splitlines()
    assert found == ["65532 65532", "[]", "[]", "[]"]


@pytest.mark.parametrize(("name", "has_it"), [("image", False), ("azure_image", True)])
def test_azure_is_optional(
    podman: Podman, request: pytest.FixtureRequest, name: str, has_it: bool
) -> None:
    """Only the image that is built for Azure has Azure's libraries."""
    done = podman.run(
        *LOCKED, "--entrypoint=python3", request.getfixturevalue(name), "-c", "import msal"
    )
    assert (done.returncode == 0) is has_it


def test_reproducible(podman: Podman, image: str, build: Build) -> None:
    """A second build gives the same image."""
    built = podman("image", "inspect", image, "--format={{.Id}}").strip()
    assert build("localhost/sentinelone-source:again", fresh=True) == built
