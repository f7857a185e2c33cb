"""deploy/packages: what the deb and the rpm hold, and what they do when they are installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from sentinelone_source import __version__

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/packages"
PACKED = yaml.safe_load((FOLDER / "nfpm.yaml").read_text())
PAGE = (ROOT / "docs/how-to/systemd.md").read_text()
UNIT = (ROOT / "deploy/systemd/sentinelone-source.service").read_text()


def wheel(folder: Path) -> None:
    """A wheel with our name and a command, and nothing that it needs."""
    info = f"sentinelone_source-{__version__}.dist-info"
    files = {
        "s1.py": "def main(): print('installed')",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: sentinelone-source\n"
        f"Version: {__version__}\nProvides-Extra: azure\nProvides-Extra: fast\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nsentinelone-source = s1:main\n",
    }
    folder.mkdir(parents=True)
    path = folder / f"sentinelone_source-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": ""}.items():
            archive.writestr(name, text)


def script(name: str, root: Path, *arguments: str) -> None:
    """Run a script of the package on a machine that is a folder, without a running systemd."""
    text = (FOLDER / name).read_text().replace("/run/systemd/system", "/nonexistent")
    text = re.sub(r"/(?=(?:usr/share|opt|var/lib|etc)/)", f"{root}/", text)
    subprocess.run(["sh", "-c", text, name, *arguments], check=True)


def test_installed_and_removed(tmp_path: Path) -> None:
    """The unit's program is installed offline and removed again; settings stay until a purge."""
    wheel(tmp_path / "usr/share/sentinelone-source/wheels")
    configuration = tmp_path / "etc/sentinelone-source/config.toml"
    configuration.parent.mkdir(parents=True)
    configuration.touch()
    script("postinstall", tmp_path, "configure")
    started = re.findall(r"^ExecStart=(\S+)", UNIT, re.MULTILINE)[0]
    program = tmp_path / started.lstrip("/")
    assert subprocess.run([program], capture_output=True, check=True).stdout == b"installed\n"
    script("preremove", tmp_path, "remove")
    script("postremove", tmp_path, "remove")
    assert (program.exists(), configuration.exists()) == (False, True)
    assert not list((tmp_path / "usr/share").iterdir())
    script("postremove", tmp_path, "purge")
    assert not configuration.exists()


def test_what_is_packed_is_there() -> None:
    """Every file that is packed exists, and nothing of a user's is overwritten by an update."""
    for one in PACKED["contents"]:
        assert one["src"].startswith("dist/") or list(ROOT.glob(one["src"])), one["src"]
        if one["dst"].startswith("/etc/"):
            assert one["type"] == "config|noreplace"
    scripts = {name: f"deploy/packages/{name}" for name in ("preremove", "postremove")}
    assert PACKED["scripts"] == scripts
    installing = "deploy/packages/postinstall"
    assert PACKED["overrides"]["deb"]["scripts"] == {"postinstall": installing}
    # An rpm's postinstall would still see the wheels of the old version.
    assert PACKED["rpm"]["scripts"] == {"posttrans": installing}
    supported = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    build = (FOLDER / "build").read_text()
    assert re.findall(r"for python in (.*); do", build) == [" ".join(supported)]


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_built(tmp_path: Path, kind: str) -> None:
    """nfpm packs everything that the unit and the page name."""
    path = os.pathsep.join((str(ROOT / ".venv/bin"), os.environ["PATH"]))
    nfpm = shutil.which("nfpm", path=path)
    if nfpm is None:
        pytest.skip("no nfpm: install it, or Go and `make nfpm`")
    for name in ("deploy", "fluent-bit", "vector"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    wheel(tmp_path / "dist/wheels")
    how = ("--config", "deploy/packages/nfpm.yaml", "--packager", kind, "--target", "package")
    environ = {**os.environ, "VERSION": __version__, "MAINTAINER": "x <x@example.invalid>"}
    subprocess.run([nfpm, "package", *how], cwd=tmp_path, env=environ, check=True)
    if kind == "rpm" or shutil.which("ar") is None:
        return
    subprocess.run(["ar", "x", "package", "data.tar.gz"], cwd=tmp_path, check=True)
    with tarfile.open(tmp_path / "data.tar.gz") as data:
        names = {name.removeprefix(".") for name in data.getnames()}
    assert {
        "/usr/lib/systemd/system/sentinelone-source.service",
        "/usr/lib/sysusers.d/sentinelone-source.conf",
        "/etc/sentinelone-source/config.toml",
    } <= names
    typed = " ".join(re.findall(r"^\$ (.*)", PAGE, flags=re.MULTILINE))
    files = re.findall(r" ((?:deploy|fluent-bit|vector)/\S+)", typed)
    assert len(files) >= 8
    assert {f"/usr/share/sentinelone-source/{file}" for file in files} <= names
