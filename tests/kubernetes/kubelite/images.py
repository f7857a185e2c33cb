"""Images without a registry."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from kubernetes.kubelite.podman import Podman


def imported(podman: Podman, name: str, folder: Path, fill: Callable[[Path], None]) -> str:
    """An image of a folder that `fill` puts a root file system into; gives its full name."""
    root = folder / name
    root.mkdir(parents=True)
    fill(root)
    archive = folder / f"{name}.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, ".")
    full = f"localhost/{name}:test"
    podman("import", archive, full)
    archive.unlink()
    return full


def built(
    podman: Podman,
    context: Path,
    tag: str,
    arguments: dict[str, str],
    wheels: Path,
    *,
    fresh: bool = False,
) -> str:
    """The id of the image that deploy/Dockerfile makes, from wheels and without a network."""
    given = {"PIP_FIND_LINKS": "/offline", "PIP_NO_INDEX": "1", **arguments}
    podman(
        "build",
        "--quiet",
        "--pull=never",
        *(["--no-cache"] if fresh else []),
        "--timestamp=0",
        "--isolation=oci",
        "--network=none",
        f"--volume={wheels}:/offline:ro",
        *(f"--build-arg={name}={value}" for name, value in given.items()),
        f"--file={context / 'deploy/Dockerfile'}",
        f"--tag={tag}",
        context,
    )
    return podman("image", "inspect", tag, "--format={{.Id}}").strip()


def fetched(python: str, requirements: list[Path], folder: Path) -> str:
    """Wheels of locked packages for this interpreter; gives what went wrong, or nothing."""
    files = [argument for path in requirements for argument in ("--requirement", str(path))]
    how = ("--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--require-hashes")
    done = subprocess.run(
        [python, "-m", "pip", "download", *how, "--dest", str(folder), *files],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""
