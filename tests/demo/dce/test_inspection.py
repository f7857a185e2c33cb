"""What other processes see of it, and the command as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner

from demo.dce.conftest import SCOPE, STREAM, TABLE, row
from sentinelone_source.cli import commands
from support.processes import Running
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from demo.dce.conftest import Client


def shown(client: Client, path: str, **query: str) -> Any:
    url = f"{client.azure.plain.url}{path}"
    return client.session.get(url, params=query, timeout=5).json()


def test_rows(client: Client) -> None:
    """Another process cannot see which rows have arrived, exactly."""
    sent = [row(ThreatInfo={"n": 2**64 - 1}), row(ThreatName="é")]
    client.send(sent)
    assert shown(client, "/rows", table=TABLE) == sent
    everything = shown(client, "/rows")
    assert everything[TABLE] == sent
    assert len(everything) == 5
    assert shown(client, "/rows", table="SentinelOneAgents_CL") == []
    assert "known: " in shown(client, "/rows", table="Agents")["error"]


def test_requests(client: Client) -> None:
    """Another process cannot see what was asked, or sees a credential."""
    client.send([row()])
    told = shown(client, "/requests")
    assert [request["stream"] for request in told["ingestion"]] == [STREAM]
    assert [request["resource"] for request in told["token"]] == [SCOPE]
    assert told["ingestion"][0]["wire"] > 0
    assert "demo-secret" not in json.dumps(told)


def test_summary(client: Client) -> None:
    """Another process cannot see what was lost."""
    client.send([row(nope=1), 7])
    client.send({})
    client.send(b"[")
    told = shown(client, "/summary")
    assert told["rows"][TABLE] == 1
    assert told["requests"] == {"token": {"200": 1}, "ingestion": {"204": 2, "400": 1}}
    assert told["losses"]["undeclared_columns"] == {f"{TABLE}.nope": 1}
    assert told["losses"]["elements_not_objects"] == {STREAM: 1}
    assert told["losses"]["single_objects"] == {STREAM: 1}


def order(client: Client, body: object) -> requests.Response:
    return client.session.post(f"{client.azure.plain.url}/faults", json=body, timeout=5)


def test_faults_from_outside(client: Client) -> None:
    """Another process cannot script faults."""
    script = [
        {"where": "ingestion", "status": 429, "retry_after": 2, "times": 2},
        {"where": "ingestion", "lose_answer": True},
        {"where": "ingestion", "reset": True, "after": 1},
    ]
    assert order(client, script).status_code == 204
    answers = [client.send([]) for _ in range(2)]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["2", "2"]
    with pytest.raises(requests.ConnectionError):
        client.send([])
    assert client.send([]).status_code == 204
    with pytest.raises(requests.ConnectionError):
        client.send([])
    assert order(client, {"where": STREAM, "hang": 3600, "times": None}).status_code == 204
    client.session.delete(f"{client.azure.plain.url}/faults", timeout=5)
    assert client.send([]).status_code == 204
    client.session.post(f"{client.azure.plain.url}/revoke", timeout=5)
    assert client.send([]).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        "x",
        {"where": "ingestion"},
        {"status": 500},
        {"where": "token", "status": 500, "reset": True},
        {"where": "token", "code": 500},
        [{"where": "token", "reset": True}, {"where": "token"}],
    ],
)
def test_orders_that_are_none(client: Client, body: object) -> None:
    """A mistyped fault is taken, and nothing happens, or half of a list is."""
    answer = order(client, body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert client.ask().status_code == 200
    assert client.send([]).status_code == 204


@pytest.mark.parametrize("path", ["/", "/row", "/dataCollectionRules/x", "/oauth2/v2.0/tokens"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_paths(client: Client, path: str, method: str) -> None:
    """A URL put together wrongly works here and nowhere else."""
    url = f"{client.azure.plain.url}{path}"
    assert client.session.request(method, url, timeout=5).status_code == 404


def started(folder: Path, *arguments: object) -> Running:
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
    answer = requests.post(known["AZURE_AUTH_URL"], data=form, timeout=5)
    return requests.post(
        f"{known['DCE_URL']}/dataCollectionRules/{known['DCR_ID']}/streams/{STREAM}",
        params={"api-version": "2023-01-01"},
        headers={"Authorization": f"Bearer {answer.json()['access_token']}"},
        json=rows,
        verify=known["DCE_CA_FILE"] or None,
        timeout=5,
    ).status_code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command(tmp_path: Path, number: int) -> None:
    """A shipper cannot be pointed at it with what it prints, or its rows cannot be had."""
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
        answer = requests.get(known["IDENTITY_ENDPOINT"], query, headers=header, timeout=5)
        assert answer.status_code == 200
        assert running.stop(number) == 0
    assert running.out == b""
    assert "2 rows in 1 requests:" in running.errors
    assert f"undeclared_columns: {TABLE}.nope 1" in running.errors
    assert "Traceback" not in running.errors


def test_command_without_tls(tmp_path: Path) -> None:
    """Plain http alone, for Vector, cannot be had; or rows do not come on stdout when asked for."""
    with started(tmp_path, "--no-tls", "--rows", "-") as running:
        known = variables(running)
        assert known["DCE_URL"] == known["DCE_URL_PLAIN"]
        assert known["DCE_CA_FILE"] == ""
        assert "without TLS (--no-tls)" in running.errors
        assert delivered(known, [row()]) == 204
        until(lambda: running.lines, "the row")
        assert json.loads(running.lines[0])["_table"] == TABLE
        assert running.stop() == 0


def test_a_users_mapping(tmp_path: Path) -> None:
    """A user's own column is undeclared in the user's own trial."""
    (tmp_path / "mine").mkdir()
    text = f'table = "{TABLE}"\n[columns]\nSha1 = "$.threatInfo.sha1"\n'
    (tmp_path / "mine" / "threats.toml").write_text(text)
    config = tmp_path / "config.toml"
    config.write_text(f'[mappings]\npath = "{tmp_path}/mine"\n')
    with started(tmp_path, "--config", config) as running:
        assert delivered(variables(running), [row(Sha1="da39")]) == 204
        running.stop()
    assert "undeclared_columns" not in running.errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--listen", "localhost"), "is no address"),
        (("--listen-tls", "127.0.0.1:99999"), "is no address"),
        (("--rows", "/nowhere/rows"), "/nowhere/rows"),
        (("--ca-file", "/nowhere/ca.pem"), "/nowhere/ca.pem"),
        (("--listen", "203.0.113.1:0"), "demo dce: 203.0.113.1:0: Cannot assign"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """A mistake ends in a traceback."""
    with started(tmp_path, *arguments) as running:
        assert running.wait() in (1, 2)
    assert words in running.errors
    assert "Traceback" not in running.errors


def test_help() -> None:
    """The command cannot be found."""
    text = CliRunner().invoke(commands, ["demo", "dce", "--help"]).output
    assert "--ca-file" in text
    assert os.linesep in text
