"""The podman of this machine, with a store and settings of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

CONTAINERS = """
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=16384:16384"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE = """
[storage]
driver = "{driver}"
graphroot = "{folder}/store"
runroot = "{folder}/run"
"""


class PodmanError(Exception):
    """A podman command failed; the message has what it said."""


class Podman:
    """Runs podman commands; nothing outside the folder is read or changed."""

    def __init__(self, folder: Path, driver: str = "overlay") -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        containers, storage = folder / "containers.conf", folder / "storage.conf"
        # crun refuses machines with both kinds of cgroups
        runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
        containers.write_text(CONTAINERS + runtime)
        storage.write_text(STORAGE.format(driver=driver, folder=folder))
        self._environ = {
            **os.environ,
            "CONTAINERS_CONF": str(containers),
            "CONTAINERS_STORAGE_CONF": str(storage),
        }

    def __call__(self, *arguments: object, check: bool = True, **how: Any) -> str:
        """Run a command to its end; gives what it wrote to stdout.

        Raises:
            PodmanError: it failed, unless `check` is false.
        """
        done = self.run(*arguments, **how)
        if check and done.returncode:
            command = " ".join(map(str, arguments[:3]))
            raise PodmanError(f"podman {command}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def run(self, *arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, however it ends."""
        return subprocess.run(
            ["podman", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=self._environ,
            **{"timeout": 240, **how},
        )

    def remove(self) -> None:
        """Every container, every image."""
        self("rm", "--all", "--force", "--time=0", check=False)
        subprocess.run(["umount", self._folder / "store/overlay"], check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)
