"""Root file systems from what runs on this machine, so that no registry is needed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

NEEDED_UNSEEN = (
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libgcc_s.so.1",
    "libstdc++.so.6",
)
"""Libraries that are loaded by name at run time, by wheels or by libc."""
LEFT_OUT = (
    "__pycache__",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "site-packages",
    "dist-packages",
    "config-*",
    "*.a",
)
PASSWD = "root:x:0:0::/:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n"
GROUP = "root:x:0:\nnonroot:x:65532:\n"
RESOLVING = "hosts: files dns\n"


def python_root(folder: Path) -> None:
    """This machine's Python as /usr/bin/python3, its libraries, and nothing else."""
    executable = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    _copy(executable, folder)
    shutil.copytree(
        library, _inside(folder, library), ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True
    )
    _libraries([executable, *(library / "lib-dynload").glob("*.so")], folder)
    _link(folder, executable)
    _system(folder)


def build_root(folder: Path) -> None:
    """The same with pip and a shell, and, as Debian's, managed by others than pip."""
    python_root(folder)
    library = _inside(folder, Path(sysconfig.get_path("stdlib")))
    (library / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=managed by apt\n")
    found = importlib.util.find_spec("pip")
    assert found is not None
    assert found.submodule_search_locations is not None
    source = Path(found.submodule_search_locations[0])
    program = "import sysconfig; print(sysconfig.get_path('purelib'))"
    executable = Path(sys.executable).resolve()
    target = Path(
        subprocess.run(
            [executable, "-I", "-c", program], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    shutil.copytree(
        source,
        _inside(folder, target) / "pip",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shell = Path("/bin/sh").resolve()
    _copy(shell, folder)
    _libraries([shell], folder)
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/sh").symlink_to(shell)


def program_root(folder: Path, program: Path, place: Path) -> None:
    """One program at its place, and the libraries that it needs."""
    target = _inside(folder, place)
    target.parent.mkdir(parents=True)
    shutil.copy2(program.resolve(), target)
    _libraries([program.resolve()], folder)
    _system(folder)


def _libraries(programs: list[Path], folder: Path) -> None:
    needed = {Path(word) for program in programs for word in _linked(program)}
    for name in NEEDED_UNSEEN:
        needed |= {*Path("/lib").glob(f"*-linux-gnu/{name}")}
        needed |= {*Path("/usr/lib").glob(f"*-linux-gnu/{name}")}
    for path in needed:
        _copy(path, folder)


def _linked(program: Path) -> list[str]:
    shown = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [
        next(word for word in line.split() if word.startswith("/"))
        for line in shown.splitlines()
        if "/" in line
    ]


def _copy(path: Path, folder: Path) -> None:
    target = _inside(folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path.resolve(), target)


def _link(folder: Path, executable: Path) -> None:
    link = folder / "usr/bin/python3"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists() and not link.is_symlink():
        link.symlink_to(executable)


def _system(folder: Path) -> None:
    etc = folder / "etc"
    (etc / "ssl/certs").mkdir(parents=True, exist_ok=True)
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    if authorities.exists():
        shutil.copy2(authorities, etc / "ssl/certs")
    (etc / "passwd").write_text(PASSWD)
    (etc / "group").write_text(GROUP)
    (etc / "nsswitch.conf").write_text(RESOLVING)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    temporary.chmod(0o1777)


def _inside(folder: Path, path: Path) -> Path:
    return folder / os.fspath(path).lstrip("/")
