"""The sdist: everything that its tests and its wheel need, once each."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

from sentinelone_source import __version__

ROOT = Path(__file__).parents[2]
FOLDERS = (".github", "deploy", "fluent-bit", "mappings", "vector")
"""Those that hold no compiled files; links in `deploy` lead to files that must be packed too."""


def build(folder: Path, kind: str, into: Path) -> Path:
    """What hatchling makes of a tree, without an index."""
    how = ("--target", kind, "--directory", str(into))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *how],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    [built] = into.iterdir()
    return built


def test_sdist(tmp_path: Path) -> None:
    """The sdist holds every file once, and the wheel can be built from it."""
    sdist = build(ROOT, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    subprocess.run(["tar", "xf", sdist, "-C", tmp_path], check=True)
    top = f"sentinelone_source-{__version__}"
    assert [name for name, times in Counter(names).items() if times > 1] == []
    expected = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert [
        path for path in expected if f"{top}/{path.relative_to(ROOT).as_posix()}" not in names
    ] == []
    assert build(tmp_path / top, "wheel", tmp_path / "wheel").suffix == ".whl"
