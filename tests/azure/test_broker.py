"""Tokens on loopback: for whom they are meant, always at hand, and never in a log."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
import requests

from doubles.azure_faults import hang, refuse
from doubles.console import ScriptedConsole
from doubles.world import World
from sentinelone_source.azure.broker import TokenRefresher, admits, brokering
from sentinelone_source.azure.credential import Token
from sentinelone_source.config.azure import CLOUDS
from sentinelone_source.config.defaults import CloudName
from sentinelone_source.errors import ConfigError, SourceError, Unavailable
from sentinelone_source.timings import Timings
from support.cloud import AzureTenancy
from support.tenancy import TOKEN
from support.waiting import until

FORM = "grant_type=client_credentials&scope=https://monitor.azure.com/.default&client_id=x"
POD_SECRET = "pod&local%2B+100%=ü"
FLUENT_BIT = os.environ.get("FLUENT_BIT") or shutil.which("fluent-bit")


def ask(url: str, body: str | bytes = FORM, **how: Any) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a token request."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    data = body.encode() if isinstance(body, str) else body
    answer = requests.post(url, data=data, headers=headers, timeout=30, **how)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return answer.status_code, found


@contextmanager
def broker(cloud: AzureTenancy, keys: str = "", /, **over: Any) -> Iterator[str]:
    """The broker in this process, on a free port."""
    cloud.configure(broker=f'listen = "127.0.0.1:0"\n{keys}', **over)
    with brokering(cloud.settings()) as url:
        yield url


def test_a_token(cloud: AzureTenancy) -> None:
    """The answer has the members that Fluent Bit reads, and Azure accepts its token."""
    with broker(cloud) as url:
        status, answer = ask(url)
    assert status == 200
    assert answer.keys() == {"token_type", "expires_in", "access_token"}
    assert answer["token_type"] == "Bearer"
    assert 3500 < answer["expires_in"] <= 3600
    row = [{"ThreatName": "by hand"}]
    path = (
        f"/dataCollectionRules/{cloud.azure.behaviour.dcr_id}/streams/Custom-SentinelOneThreats_CL"
    )
    sent = requests.post(
        cloud.azure.endpoint + path + "?api-version=2023-01-01",
        json=row,
        headers={"Authorization": f"Bearer {answer['access_token']}"},
        verify=str(cloud.azure.ca_file),
        timeout=30,
    )
    assert sent.status_code == 204


def test_one_token_for_all(cloud: AzureTenancy) -> None:
    """All outputs of a shipper get the same token, from one request to Entra ID."""
    with broker(cloud) as url:
        tokens = {ask(url)[1]["access_token"] for _ in range(5)}
    assert len(tokens) == 1
    assert len(cloud.azure.token_requests) == 1


@pytest.mark.parametrize("name", CLOUDS)
def test_scope_is_the_configured_clouds(cloud: AzureTenancy, name: CloudName) -> None:
    """The token is for the configured cloud, whatever scope the shipper requests."""
    with broker(cloud, cloud=name) as url:
        assert ask(url)[0] == 200
    assert cloud.azure.token_requests[0].resource == CLOUDS[name].scope


@pytest.mark.parametrize("form", ["raw", "encoded", "raw, not last"])
def test_secret(cloud: AzureTenancy, form: str) -> None:
    """A secret with special characters is accepted raw and encoded; another one is refused."""
    (cloud.folder / "pod").write_text(POD_SECRET + "\n")
    given = quote_plus(POD_SECRET) if form == "encoded" else POD_SECRET
    body = f"{FORM}&client_secret={given}" + ("&resource=x" if "not last" in form else "")
    with broker(cloud, 'secret_file = "pod"') as url:
        assert ask(url, body)[0] == 200
        for wrong in ("", "&client_secret=", f"&client_secret={given}x", "&client_secret=pod"):
            status, answer = ask(url, FORM + wrong)
            assert (status, answer["error"]) == (401, "invalid_client")
            assert "access_token" not in answer


def test_secret_that_is_not_there(cloud: AzureTenancy) -> None:
    """A secret file that cannot be read is an error that names the file and the key."""
    words = r"config\.toml: azure\.broker\.secret_file: .*none: cannot be read"
    with pytest.raises(ConfigError, match=words), broker(cloud, 'secret_file = "none"'):
        pass


def test_secret_that_changes(cloud: AzureTenancy) -> None:
    """A rotated secret is valid at once, and the old one is not."""
    (cloud.folder / "pod").write_text("one")
    with broker(cloud, 'secret_file = "pod"') as url:
        assert ask(url, f"{FORM}&client_secret=one")[0] == 200
        (cloud.folder / "pod").write_text("another")
        assert ask(url, f"{FORM}&client_secret=one")[0] == 401
        assert ask(url, f"{FORM}&client_secret=another")[0] == 200
        (cloud.folder / "pod").unlink()
        assert ask(url, f"{FORM}&client_secret=another")[0] == 503


@pytest.mark.parametrize(
    ("body", "admitted"),
    [
        (b"client_secret=s", True),
        (b"a=1&client_secret=s&b=2", True),
        (b"client_secret=", False),
        (b"client_secret=ss", False),
        (b"xclient_secret=s", False),
        (b"", False),
        (b"\xff\x00&client_secret=s", True),
        (b"client_secret=%73", True),
    ],
)
def test_admits(body: bytes, admitted: bool) -> None:
    """Only a request with exactly the secret is admitted."""
    assert admits(body, "s") is admitted


@pytest.mark.parametrize(
    ("how", "status", "error"),
    [
        ({"body": "grant_type=password"}, 400, "unsupported_grant_type"),
        ({"body": ""}, 400, "unsupported_grant_type"),
        ({"body": "x" * 70_000}, 400, "invalid_request"),
    ],
)
def test_wrong_requests(cloud: AzureTenancy, how: dict[str, str], status: int, error: str) -> None:
    """A wrong request gets an OAuth error, and the broker keeps serving."""
    with broker(cloud) as url:
        found, answer = ask(url, **how)
        assert (found, answer["error"]) == (status, error)
        assert requests.get(url, timeout=30).status_code == 405
        assert ask(url)[0] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example:80", 400), ("[", 400), ("localhost:1", 200), ("[::1]:8688", 200)],
)
def test_by_another_name(cloud: AzureTenancy, host: str, status: int) -> None:
    """A request with the Host of a web page gets no token."""
    with broker(cloud) as url:
        headers = {"Host": host, "Content-Type": "application/x-www-form-urlencoded"}
        answer = requests.post(url, data=FORM, headers=headers, timeout=30)
    assert answer.status_code == status
    assert ("access_token" in answer.text) is (status == 200)


def test_entra_hangs(cloud: AzureTenancy) -> None:
    """While Entra ID hangs, a request gets 503."""
    cloud.azure.faults.add(hang("discovery", 20))
    with broker(cloud) as url:
        status, answer = ask(url)
    assert (status, answer["error"]) == (503, "temporarily_unavailable")


def test_entra_refuses(cloud: AzureTenancy) -> None:
    """The answer says why there is no token, and a corrected secret ends the failure."""
    cloud.azure.faults.add(refuse("token", 503, times=1))
    (cloud.folder / "secret").write_text("wrong")
    with broker(cloud) as url:
        status, answer = ask(url)
        assert (status, answer["error"]) == (503, "temporarily_unavailable")
        until(lambda: "client secret is wrong" in ask(url)[1]["error_description"])
        (cloud.folder / "secret").write_text("s3cr3t&of+the%app/1")
        until(lambda: ask(url)[0] == 200)


SOON = Timings(azure_token_again=0.02, azure_token_first_retry=0.01)


def test_refreshed_ahead() -> None:
    """A token is replaced before it expires."""
    made: list[Token] = []

    def fetch(fresh: bool) -> Token:
        assert fresh is bool(made)
        made.append(Token(str(len(made)), int(time.time()) + 200, None))
        return made[-1]

    with TokenRefresher(fetch, SOON) as refresher:
        assert refresher.take(5).value
        until(lambda: len(made) > 3)
        assert refresher.take(5).expires_on - time.time() > SOON.broker_token_left


def test_entra_is_down_when_it_is_time() -> None:
    """During an outage of Entra ID the last token is given out while it is valid."""
    calls: list[bool] = []

    def fetch(fresh: bool) -> Token:
        calls.append(fresh)
        if fresh:
            raise Unavailable("down")
        return Token("good", int(time.time()) + 230, None)

    with TokenRefresher(fetch, SOON) as refresher:
        until(lambda: len(calls) > 3)
        assert refresher.take(0).value == "good"


def test_token_that_ends_soon() -> None:
    """A token that expires within two minutes is not given out."""

    def fetch(fresh: bool) -> Token:
        if fresh:
            raise ConfigError("no more")
        return Token("short", int(time.time()) + 60, None)

    with (
        TokenRefresher(fetch, SOON) as refresher,
        pytest.raises(SourceError, match=r"no more|no token yet"),
    ):
        refresher.take(0.5)


@pytest.mark.parametrize("listen", ["0.0.0.0:8688", "[::]:8688", "10.1.2.3:1", "8688", "x:y"])
def test_loopback_only(cloud: AzureTenancy, listen: str) -> None:
    """An address other than loopback is an error."""
    cloud.configure(broker=f'listen = "{listen}"')
    with pytest.raises(ConfigError, match=r"azure\.broker\.listen: "):
        cloud.settings()


def test_address_that_is_taken(cloud: AzureTenancy) -> None:
    """An address that is in use is an error of the configuration."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cloud.configure(broker=f'listen = "127.0.0.1:{taken.getsockname()[1]}"')
        cloud.call("broker", status=2)


def test_the_command(cloud: AzureTenancy) -> None:
    """The log has the broker's address, and no secret or token."""
    (cloud.folder / "pod").write_text(POD_SECRET)
    cloud.configure(broker='listen = "127.0.0.1:0"\nsecret_file = "pod"')
    with cloud.start("broker") as running:
        running.wait_for("broker_started")
        (started,) = running.events("broker_started")
        status, answer = ask(started["address"], f"{FORM}&client_secret={POD_SECRET}")
        assert status == 200
        assert ask(started["address"], f"{FORM}&client_secret=wrong")[0] == 401
        assert running.stop() == 0
    assert started["asks_for_secret"] is True
    assert len(running.events("broker_refused")) == 1
    for secret in (answer["access_token"], POD_SECRET, (cloud.folder / "secret").read_text()):
        assert secret.strip() not in running.errors


def test_missing_secret_file(cloud: AzureTenancy) -> None:
    """A secret file that is missing is an error."""
    cloud.configure(broker='listen = "127.0.0.1:0"\nsecret_file = "nowhere"')
    running = cloud.call("broker", status=2)
    assert "broker secret" in running.errors


PIPELINE = """
service:
  flush: 0.2
  log_level: info
pipeline:
  inputs:
    - name: dummy
      dummy: '{{"ThreatName":"through Fluent Bit"}}'
      samples: 3
      tag: threats
  outputs:
    - name: azure_logs_ingestion
      match: threats
      auth_url: {url}
      tenant_id: none
      client_id: none
      client_secret: "{secret}"
      dce_url: {dce}
      dcr_id: {dcr}
      table_name: SentinelOneThreats_CL
      time_generated: true
      time_key: TimeGenerated
      compress: true
      workers: 1
      retry_limit: no_limits
      tls.ca_file: {ca}
"""


@pytest.mark.shippers
@pytest.mark.skipif(FLUENT_BIT is None, reason="no fluent-bit in $FLUENT_BIT or on PATH")
@pytest.mark.parametrize("identity", ["secret", "managed"])
def test_with_the_real_fluent_bit(
    cloud: AzureTenancy, monkeypatch: pytest.MonkeyPatch, identity: str
) -> None:
    """Fluent Bit delivers rows with a token of the broker."""
    (cloud.folder / "pod").write_text("pod&local+100%")
    over: dict[str, Any] = {}
    if identity == "managed":
        monkeypatch.setenv("IDENTITY_ENDPOINT", cloud.azure.identity_endpoint)
        monkeypatch.setenv("IDENTITY_HEADER", cloud.azure.behaviour.identity_header)
        over = {"client_secret_file": None, "tenant_id": None}
    with broker(cloud, 'secret_file = "pod"', **over) as url:
        config = cloud.folder / "fluent-bit.yaml"
        config.write_text(
            PIPELINE.format(
                url=url,
                secret="pod&local+100%",
                dce=cloud.azure.endpoint,
                dcr=cloud.azure.behaviour.dcr_id,
                ca=cloud.azure.ca_file,
            )
        )
        log = (cloud.folder / "fluent-bit.log").open("wb")
        command = [str(FLUENT_BIT), "-c", str(config)]
        with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                until(lambda: len(cloud.azure.rows["SentinelOneThreats_CL"]) == 3)
            finally:
                process.kill()
    assert cloud.azure.rows["SentinelOneThreats_CL"][0]["ThreatName"] == "through Fluent Bit"
    assert "eyJ" not in Path(log.name).read_text()
    assert json.loads(cloud.azure.received.lines["SentinelOneThreats_CL"][0])


def test_beside_the_poller(cloud: AzureTenancy) -> None:
    """`run --broker` polls and serves tokens."""
    world = World(seed=3)
    world.populate(groups=2)
    with ScriptedConsole(world, {TOKEN}) as console:
        (cloud.folder / "token").write_text(TOKEN)
        cloud.configure(
            broker='listen = "127.0.0.1:0"',
            before=f'[[consoles]]\nname = "acme"\nurl = "{console.url}"\ntoken_file = "token"',
        )
        state = str(cloud.folder / "state")
        with cloud.start("run", "--broker", SENTINELONE_SOURCE_STATE=state) as running:
            running.wait_for("swept", feed="groups")
            assert ask(running.events("broker_started")[0]["address"])[0] == 200
            assert running.stop() == 0
    assert len(running.lines) == 2
