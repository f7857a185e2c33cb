"""deploy/systemd and docs/how-to/systemd.md: unit, program and page agree."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from sentinelone_source.cli import commands
from sentinelone_source.config.settings import load_settings
from sentinelone_source.errors import EXIT_USAGE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/systemd"
NAME = "sentinelone-source"
UNIT = f"{NAME}.service"
DROP_IN = "fluent-bit.service.d/sentinelone-source.conf"
VECTOR = "vector.service.d/sentinelone-source.conf"
PAGE = (ROOT / "docs/how-to/systemd.md").read_text()


def section(path: Path) -> dict[str, list[str]]:
    """`[Service]`: every value of each key, in order."""
    found: dict[str, list[str]] = {}
    service = path.read_text().partition("[Service]\n")[2].partition("\n[")[0]
    for line in service.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The unit and the drop-ins, whose programs are there and whose user is this one."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    text = (FOLDER / UNIT).read_text()
    (tmp_path / UNIT).write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text))
    for name in (DROP_IN, VECTOR):
        (tmp_path / name).parent.mkdir()
        text = (FOLDER / name).read_text()
        (tmp_path / name).write_text(re.sub(r"(ExecStart\w*)=/\S+", r"\1=/bin/true", text))
        own = "[Service]\nExecStart=/bin/true\nStartLimitInterval=10\n"
        (tmp_path / name.split(".d/")[0]).write_text(own)
    return tmp_path


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What systemd-analyze says."""
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_hardened(units: Path) -> None:
    """The exposure of the unit is at most 2.0."""
    done = analyze("security", "--offline=true", "--threshold=20", "--no-pager", units / UNIT)
    if "unrecognized option" in done.stderr:
        pytest.skip("a systemd-analyze that knows no --offline")
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


@pytest.mark.parametrize("unit", [UNIT, "fluent-bit.service", "vector.service"])
def test_verified(units: Path, unit: str) -> None:
    """systemd understands every line of the unit and of the drop-ins."""
    done = analyze("verify", "--man=no", units / unit)
    ours = [line for line in done.stderr.splitlines() if str(units) in line or unit in line]
    assert (done.returncode, ours) == (0, [])


def test_agrees_with_the_program(tmp_path: Path) -> None:
    """Command, state, token, user and exit status of the unit are those of the program."""
    service = section(FOLDER / UNIT)
    program, command, *options = shlex.split(service["ExecStart"][0])
    assert program == f"/opt/{NAME}/bin/{NAME}"
    found = commands.get_command(click.Context(commands), command)
    assert found is not None
    assert found.make_context(command, ["--config", str(FOLDER / "config.toml")])
    assert options == ["--config", f"/etc/{NAME}/config.toml"]
    settings = load_settings(FOLDER / "config.toml", {})
    assert str(settings.state_path) == f"/var/lib/{service['StateDirectory'][0]}"
    [console] = settings.consoles
    credentials = [value.partition(":")[0] for value in service["LoadCredential"]]
    assert console.token_file in [f"/run/credentials/{UNIT}/{name}" for name in credentials]
    assert service["RestartPreventExitStatus"] == [str(EXIT_USAGE)]
    user = (FOLDER / f"{NAME}.sysusers").read_text().splitlines()[-1].split()
    assert user[:2] == ["u", service["User"][0]]


def test_agrees_with_fluent_bit() -> None:
    """The drop-in gives Fluent Bit the files and variables that its configuration reads."""
    service = section(FOLDER / DROP_IN)
    assert service["ExecStart"][0] == ""
    assert service["ExecStart"][1].endswith("/fluent-bit/secret-file-http.yaml")
    secret = (ROOT / "fluent-bit/secret-file-http.yaml").read_text()
    assert f"file://{service['BindReadOnlyPaths'][0].partition(':')[2]}" in secret
    given = set(re.findall(r"^(\w+)=", (FOLDER / "azure.env").read_text(), re.MULTILINE))
    asked = set(re.findall(r"\$\{(\w+)\}", (ROOT / "fluent-bit/http.yaml").read_text()))
    assert asked - {"AZURE_CLIENT_SECRET"} == given


def test_agrees_with_vector() -> None:
    """Nothing asks Azure before Vector starts: before 0.59 `vector validate` reads no secret."""
    assert section(FOLDER / VECTOR)["ExecStartPre"][0] == ""  # leaves out the line of Vector's unit
    page = (ROOT / "docs/how-to/vector.md").read_text()
    typed = [line.split() for line in re.findall(r"^\$ (.*)", page + PAGE, flags=re.MULTILINE)]
    asked = [*map(str.split, section(FOLDER / VECTOR)["ExecStartPre"]), *typed]
    validated = [words for words in asked if "validate" in words]
    assert len(validated) > 1
    assert [words for words in validated if "--skip-healthchecks" not in words] == []
    lines = [" ".join(line) for line in typed]
    starts = [at for at, line in enumerate(lines) if line == "sudo systemctl restart vector"]
    # The user of the source's unit reads the configuration there.
    folders = {line for line in lines if re.search("install -d .*/etc/sentinelone-source$", line)}
    assert folders == {"sudo install -d -m 755 /etc/sentinelone-source"}
    assert len(starts) > 1
    for start in starts:
        assert f"deploy/systemd/{VECTOR}" in lines[start - 3]
        assert lines[start - 2] == "sudo systemctl daemon-reload"


def test_typed(tmp_path: Path) -> None:
    """Steps 1 to 4 and the removal can be typed; every file ends where the unit reads it.

    What needs root or a running systemd is recorded instead, and paths of the machine are below a
    folder.
    """
    root, tools, said = tmp_path / "root", tmp_path / "tools", tmp_path / "said"
    tools.mkdir()
    stub = f'#!/bin/sh\necho "$(basename $0) $*" >> {said}\n'
    recorded = ("systemctl", "systemd-sysusers", "journalctl", "curl", "python3", "sudoedit")
    for name in recorded:
        (tools / name).write_text(stub)
    (tools / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    program = root / "opt" / NAME / "bin"
    program.mkdir(parents=True)
    for name in ("pip", NAME):
        (program / name).write_text(stub)
    (root / "etc/systemd/system").mkdir(parents=True)
    for path in (*tools.iterdir(), *program.iterdir()):
        path.chmod(0o755)
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("deploy", "fluent-bit", "vector"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("token.txt", "client-secret.txt"):
        (tmp_path / name).write_text("secret\n")
    environ = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def type_lines(text: str) -> None:
        for line in re.findall(r"^\$ (.*)", text, flags=re.MULTILINE):
            command = re.sub(r"(?<=\s)/(?=(?:opt|etc|var)/)", f"{root}/", line)
            command = re.sub(r" -[og] vector(?= )", "", command)
            done = subprocess.run(
                ["sh", "-c", command], cwd=folder, env=environ, capture_output=True, check=False
            )
            assert done.returncode == 0, (line, done.stderr)

    for step in re.findall(r"^## [1-4]\. .*?(?=^## )", PAGE, flags=re.MULTILINE | re.DOTALL):
        type_lines(step)
    service, drop_in = section(FOLDER / UNIT), section(FOLDER / DROP_IN)
    needed = [
        service["ExecStart"][0].split()[-1],
        service["LoadCredential"][0].partition(":")[2],
        drop_in["ExecStart"][1].split()[-1],
        drop_in["EnvironmentFile"][0],
        drop_in["BindReadOnlyPaths"][0].partition(":")[0],
        f"/etc/systemd/system/{UNIT}",
        f"/etc/systemd/system/{DROP_IN}",
        f"/etc/systemd/system/{VECTOR}",
    ]
    assert [path for path in needed if not (root / path.lstrip("/")).is_file()] == []
    for secret in (needed[1], needed[4]):
        assert (root / secret.lstrip("/")).stat().st_mode & 0o077 == 0
    lines = said.read_text().splitlines()
    assert lines.index("systemctl daemon-reload") < lines.index(f"systemctl enable --now {NAME}")
    assert "systemctl enable fluent-bit" in lines  # its package does not
    (root / "var/lib" / NAME).mkdir(exist_ok=True)
    type_lines(PAGE.partition("**Remove it.**")[2].partition("```\n\n")[0])
    assert [path for path in (root / "etc/systemd").rglob("*") if path.is_file()] == []


def test_drop_in_of_the_page(tmp_path: Path, units: Path) -> None:
    """What the page puts into `systemctl edit` is understood."""
    [block] = re.findall(r"^```ini\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    folder = tmp_path / f"{UNIT}.d"
    folder.mkdir()
    (folder / "override.conf").write_text(re.sub(r"ExecStart=/\S+", "ExecStart=/bin/true", block))
    done = analyze("verify", "--man=no", units / UNIT)
    assert (done.returncode, done.stderr) == (0, "")
