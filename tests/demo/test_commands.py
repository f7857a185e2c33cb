"""`demo console` and `demo dce` as processes: what they print is enough to use them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.test_azure import SCOPE, STREAM, TABLE, row
from sentinelone_source.demo.dce.azure import DemoAzure, has_tls
from sentinelone_source.demo.dce.identity import DemoBehaviour
from sentinelone_source.errors import ConfigError
from support.processes import Running
from support.waiting import until


def started(folder: Path, *arguments: object) -> Running:
    """`demo dce` on free ports."""
    ports = ("--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0")
    return Running("demo", "dce", *ports, *arguments, folder=folder)


def variables(running: Running) -> dict[str, str]:
    """What the process printed, as the shell reads it."""
    until(lambda: "IDENTITY_HEADER" in running.errors, "the addresses")
    lines = [line.removeprefix("export ") for line in running.errors.splitlines() if "=" in line]
    script = "\n".join(f"export {line.removeprefix('# export ')}" for line in lines)
    command = [sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"]
    text = f'{script}\nexec "$0" "$@"'
    done = subprocess.run(["/bin/sh", "-c", text, *command], capture_output=True, check=True)
    told: dict[str, str] = json.loads(done.stdout)
    return told


def delivered(known: dict[str, str], rows: list[dict[str, Any]]) -> int:
    """The way of a shipper, with nothing but what was printed."""
    form = {
        "grant_type": "client_credentials",
        "client_id": known["AZURE_CLIENT_ID"],
        "client_secret": known["AZURE_CLIENT_SECRET"],
        "scope": SCOPE,
    }
    answer = requests.post(known["AZURE_AUTH_URL"], data=form, timeout=60)
    return requests.post(
        f"{known['DCE_URL']}/dataCollectionRules/{known['DCR_ID']}/streams/{STREAM}",
        params={"api-version": "2023-01-01"},
        headers={"Authorization": f"Bearer {answer.json()['access_token']}"},
        json=rows,
        verify=known["DCE_CA_FILE"] or None,
        timeout=60,
    ).status_code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_dce(tmp_path: Path, number: int) -> None:
    """`demo dce` prints what a shipper needs, writes rows to a file and a summary to stderr."""
    sent = [row(ThreatName="a"), row(ThreatName="b", nope=1)]
    file, authority = tmp_path / "rows.ndjson", tmp_path / "ca.pem"
    with started(tmp_path, "--rows", file, "--ca-file", authority) as running:
        known = variables(running)
        assert known["DCE_CA_FILE"] == str(authority)
        assert known["DCE_URL"].startswith("https://localhost:")
        assert known["AZURE_AUTHORITY_HOST"] == known["DCE_URL"]
        assert delivered(known, sent) == 204
        assert [json.loads(line) for line in file.read_text().splitlines()] == [
            {"_table": TABLE, **{name: value for name, value in row.items() if name != "nope"}}
            for row in sent
        ]
        query = {"resource": "https://monitor.azure.com", "api-version": "2019-08-01"}
        header = {"X-Identity-Header": known["IDENTITY_HEADER"]}
        answer = requests.get(known["IDENTITY_ENDPOINT"], query, headers=header, timeout=60)
        assert answer.status_code == 200
        assert running.stop(number) == 0
    assert running.out == b""
    assert "2 rows in 1 requests:" in running.errors
    assert f"undeclared_columns: {TABLE}.nope 1" in running.errors
    assert "Traceback" not in running.errors


def test_dce_without_tls(tmp_path: Path) -> None:
    """With --no-tls there is plain http only; rows go to stdout, with a user's own columns."""
    (tmp_path / "mine").mkdir()
    text = f'table = "{TABLE}"\n[columns]\nSha1 = "$.threatInfo.sha1"\n'
    (tmp_path / "mine" / "threats.toml").write_text(text)
    config = tmp_path / "config.toml"
    config.write_text(f'[mappings]\npath = "{tmp_path}/mine"\n')
    with started(tmp_path, "--no-tls", "--rows", "-", "--config", config) as running:
        known = variables(running)
        assert known["DCE_URL"] == known["DCE_URL_PLAIN"]
        assert known["DCE_CA_FILE"] == ""
        assert "without TLS (--no-tls)" in running.errors
        assert delivered(known, [row(Sha1="da39")]) == 204
        until(lambda: running.lines, "the row")
        assert json.loads(running.lines[0])["_table"] == TABLE
        assert running.stop() == 0
    assert "undeclared_columns" not in running.errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--listen", "localhost"), "'localhost'"),
        (("--listen-tls", "127.0.0.1:99999"), "'127.0.0.1:99999'"),
        (("--rows", "/nowhere/rows"), "/nowhere/rows"),
        (("--ca-file", "/nowhere/ca.pem"), "/nowhere/ca.pem"),
        (("--listen", "203.0.113.1:0"), "demo dce: 203.0.113.1:0: Cannot assign"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """A mistake is an error that names it, without a traceback."""
    with started(tmp_path, *arguments) as running:
        assert running.wait() in (1, 2)
    assert words in running.errors
    assert "Traceback" not in running.errors


def test_without_cryptography(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra `azure`, TLS is an error that names the extra; plain http works."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert not has_tls()
    with pytest.raises(ConfigError, match=r"\[azure\]"):
        DemoAzure([], DemoBehaviour(), tmp_path / "ca.pem")
    with DemoAzure([], DemoBehaviour(), None) as azure:
        assert azure.ca_file is None
        assert azure.endpoint == azure.plain.url


def test_console(tmp_path: Path) -> None:
    """`demo console` prints its address, shows records to its token, and soon makes more."""
    command = ("demo", "console", "--port", 0, "--token", "t0k3n", "--seed", 7)
    with Running(*command, folder=tmp_path) as running:
        until(lambda: running.errors.endswith("\n"), "the address")
        [(url, token)] = re.findall(
            r"SENTINELONE_URL=(\S+) SENTINELONE_TOKEN=(\S+)", running.errors
        )
        assert token == "t0k3n"

        def shown(path: str) -> int:
            answer = requests.get(
                f"{url}/web/api/v2.1/{path}",
                {"limit": "1000", "isDecommissioned": "true,false"} if path == "agents" else None,
                headers={"Authorization": f"ApiToken {token}"},
                timeout=60,
            )
            return len(answer.json()["data"])

        assert shown("agents") >= 4
        before = shown("groups"), shown("threats")
        until(lambda: (shown("groups"), shown("threats")) != before, "something new")
        assert running.stop() == 0
    assert "Traceback" not in running.errors
