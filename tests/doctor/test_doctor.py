"""Each thing that can be wrong fails its own check, with advice and without a secret."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from doubles import faults
from doubles.azure_faults import refuse, throttle
from doubles.console import ScriptedConsole
from doubles.manager import RULE, LoopbackManager
from doubles.world import World
from sentinelone_source.azure.credential import Token
from sentinelone_source.doctor.azure_checks import audience
from sentinelone_source.doctor.console import check_clock
from sentinelone_source.feed.state.files import STATE_FILE
from sentinelone_source.feed.state.state import State
from sentinelone_source.times import SECOND
from support.certificates import Authority
from support.cloud import AzureTenancy, certificate
from support.doctor import but, deployed, examined, in_a_process, those
from support.states import filled
from support.tenancy import NAMES, TABLES

THREATS = TABLES["threats"]


def test_all_is_well(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """Every part is checked, no check fails, and nothing is changed."""
    found = examined(cloud)
    assert but(found) == {"rule"}
    assert found["rule"]["found"] == "azure.dcr_resource_id is empty"
    wanted = {"configuration", "mappings", "console acme", "console acme token", "state"}
    wanted |= {"shipper", "Entra token", "ingestion endpoint", "rule"}
    wanted |= {f"feed acme/{name}" for name in NAMES}
    wanted |= {f"stream Custom-{table}" for table in TABLES.values()}
    assert found.keys() == wanted
    assert not any(cloud.azure.rows.values())
    assert not (cloud.folder / "state").exists()


def test_the_table(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """The table shows the checks of `--json`, and repeats no advice."""
    cloud.azure.behaviour.has_role = False
    text = cloud.call("doctor", status=1).out.decode()
    lines = text.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        check["status"] for check in examined(cloud, broken=True).values()
    ]
    assert (
        "failed   stream Custom-SentinelOneActivities_CL        HTTP 403, OperationFailed" in text
    )
    assert text.count("→ grant this identity the role 'Monitoring Metrics Publisher'") == 1
    assert text.count("HTTP 403, as above") == 4


def test_nothing_is_configured(cloud: AzureTenancy) -> None:
    """What is not configured is skipped."""
    cloud.config.write_text("")
    found = in_a_process(cloud, SENTINELONE_SOURCE_STATE="state", AZURE_AUTHORITY_HOST="")
    assert but(found) == {"consoles", "shipper", "azure"}
    for name in but(found):
        assert found[name]["status"] == "skipped"


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("[statte]", "configuration"),
        ('[mappings]\npath="m"', "mappings"),
        ("[feeds.x]", "mappings"),
    ],
)
def test_mistakes(cloud: AzureTenancy, text: str, check: str) -> None:
    """A mistake in the configuration is a failed check, and the last one."""
    cloud.config.write_text(text)
    found = examined(cloud, broken=True)
    assert but(found, "failed") <= {"configuration"}
    assert list(found)[-1] == check
    assert found[check]["status"] == "failed"


def test_every_console(
    cloud: AzureTenancy, configure: Callable[..., None], console: ScriptedConsole
) -> None:
    """A console that is down fails, and the other one is checked."""
    dead = "http://127.0.0.1:9"
    configure(f'[[consoles]]\nname = "dead"\nurl = "{dead}"\ntoken_file = "token"\n')
    found = examined(cloud, broken=True)
    assert those(found, "failed") == {"console dead"}
    assert found["console dead feeds"]["status"] == "skipped"
    assert "url, proxy and ca_file" in found["console dead"]["advice"]


@pytest.mark.parametrize(
    ("change", "failed", "said"),
    [
        (lambda c: c.tokens.clear(), "console acme", "create a new API token"),
        (lambda c: c.behaviour.forbidden.add("alerts"), "feed acme/alerts", "Custom Alerts > View"),
        (lambda c: c.faults.add(faults.login_page("*")), "console acme", "url, proxy"),
        (lambda c: c.faults.add(faults.status("agents", 503)), "feed acme/agents", "url, proxy"),
    ],
    ids=["token", "permission", "login page", "one endpoint"],
)
def test_console_that_refuses(
    cloud: AzureTenancy,
    *,
    configure: Callable[..., None],
    console: ScriptedConsole,
    change: Callable[[ScriptedConsole], None],
    failed: str,
    said: str,
) -> None:
    """The check that failed says what the console refuses, and what to do."""
    change(console)
    found = examined(cloud, broken=True)
    broken = those(found, "failed")
    assert broken == {failed}
    assert said in found[failed]["advice"]
    assert ("feed acme/threats" in found) is failed.startswith("feed")


def test_all_feeds_forbidden(
    cloud: AzureTenancy, configure: Callable[..., None], console: ScriptedConsole
) -> None:
    """A token without any permission fails every feed, not the console."""
    console.behaviour.forbidden.update(NAMES)
    found = examined(cloud, broken=True)
    assert found["console acme"]["status"] == "ok"
    assert {f"feed acme/{name}" for name in NAMES} == those(found, "failed")


def test_mapping_the_console_does_not_know(
    cloud: AzureTenancy, configure: Callable[..., None]
) -> None:
    """A misspelt parameter of a mapping fails its feed."""
    (cloud.folder / "mappings").mkdir()
    (cloud.folder / "mappings" / "m.toml").write_text(
        f'table = "{THREATS}"\n[request.params]\ncontentHashez = "x"\n'
    )
    configure('[mappings]\npath = "mappings"')
    found = examined(cloud, broken=True)
    assert "of this table's mapping" in found["feed acme/threats"]["advice"]


def test_feeds_that_are_off(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """A feed that is off is not checked, and one that is off by default only if it is on."""
    configure("[feeds.alerts]\nenabled = false\n[feeds.alertsv2]\nenabled = true")
    found = examined(cloud)
    assert "feed acme/alerts" not in found
    assert {"feed acme/alertsv2", "stream Custom-SentinelOneAlertsV2_CL"} <= found.keys()


@pytest.mark.parametrize(
    ("days", "status"), [(5, "warning"), (13.9, "warning"), (30, "ok"), (-1, "failed")]
)
def test_token_expiry(
    cloud: AzureTenancy,
    configure: Callable[..., None],
    console: ScriptedConsole,
    days: float,
    status: str,
) -> None:
    """A token is a warning 14 days before it expires, and fails afterwards."""
    console.behaviour.token_expires = datetime.now(UTC) + timedelta(days=days)
    check = examined(cloud, broken=status == "failed")["console acme token"]
    assert check["status"] == status
    assert console.behaviour.token_expires.date().isoformat() in check["found"]


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, "ok"), (90, "ok"), (300, "warning"), (-300, "warning")]
)
def test_clocks(seconds: int, status: str) -> None:
    """A clock that is more than two minutes off is a warning."""
    clock = round((time.time() + seconds) * SECOND)
    check = check_clock("console", "https://x", clock, answered=True)
    assert check.status == status
    assert ("behind" in check.found) is (seconds == -300)


def test_state(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """The state is read without a lock and left as it is."""
    filled(cloud.folder / "state")

    def contents() -> dict[str, bytes]:
        files = (cloud.folder / "state").iterdir()
        ours = [file for file in files if not file.name.endswith(("-shm", "-wal"))]  # SQLite's
        return {file.name: file.read_bytes() for file in ours}

    before = contents()
    assert examined(cloud)["state"]["found"].endswith(" GB free")
    assert before == contents()
    state = State(cloud.folder / "state")
    assert examined(cloud)["state"]["status"] == "ok"
    state.close()
    (cloud.folder / "state" / STATE_FILE).write_bytes(b"not a database" * 100)
    assert examined(cloud, broken=True)["state"]["status"] == "failed"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_state_that_cannot_be_written(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """A state directory that cannot be written fails."""
    (cloud.folder / "state").mkdir(mode=0o555)
    assert "cannot be written" in examined(cloud, broken=True)["state"]["found"]


def test_state_is_a_file(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """A state path that is a file fails."""
    (cloud.folder / "state").write_text("")
    assert examined(cloud, broken=True)["state"]["status"] == "failed"


def test_shipper(cloud: AzureTenancy, configure: Callable[..., None], tmp_path: Path) -> None:
    """A shipper that does not listen, or has an untrusted certificate, fails."""
    configure(to="stdout")
    assert examined(cloud)["shipper"]["status"] == "skipped"
    configure(to="http://127.0.0.1:9/")
    check = examined(cloud, broken=True)["shipper"]
    assert "Connection refused" in check["found"]
    assert "start the shipper" in check["advice"]
    authority = Authority(tmp_path, "ours")
    world = World(seed=1)
    with ScriptedConsole(world, set(), tls=authority.server("127.0.0.1")) as listening:
        configure(to=listening.url)
        assert "TLS: " in examined(cloud, broken=True)["shipper"]["found"]
        cloud.config.write_text(
            cloud.config.read_text().replace(
                "[handover]", f'[handover]\nca_file = "{authority.file}"'
            )
        )
        assert examined(cloud)["shipper"]["status"] == "ok"


@pytest.mark.parametrize(
    ("change", "over", "failed", "said"),
    [
        ({"has_role": False}, {}, "stream Custom-SentinelOneThreats_CL", ""),
        ({"dcr_id": "dcr-other"}, {}, "stream Custom-SentinelOneActivities_CL", "dcr_immutable_id"),
        ({}, {"cloud": "china"}, "stream Custom-SentinelOneActivities_CL", ""),
        ({"client_secret": "other"}, {}, "Entra token", "[azure]"),
        ({}, {"tenant_id": None}, "azure", ""),
        ({}, {"endpoint": "https://127.0.0.1:9"}, "ingestion endpoint", "firewall"),
    ],
)
def test_azure_that_refuses(
    cloud: AzureTenancy,
    *,
    configure: Callable[..., None],
    change: dict[str, Any],
    over: dict[str, Any],
    failed: str,
    said: str,
) -> None:
    """The check that failed says what Azure refuses; no test row is sent then."""
    configure(**over)
    for name, value in change.items():
        setattr(cloud.azure.behaviour, name, value)
    found = examined(cloud, send_test=True, broken=True)
    assert found[failed]["status"] == "failed"
    assert said in found[failed].get("advice", "")
    assert not any(cloud.azure.rows.values())
    if not failed.startswith("stream"):
        broken = those(found, "failed")
        assert broken == {failed}


def test_workspace(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """With a workspace_id, the permission to query the workspace is checked."""
    pytest.importorskip("duckdb_kql", reason="no engine for KQL on this machine")
    configure(workspace_id=cloud.azure.behaviour.workspace_id)
    assert examined(cloud)["workspace"]["status"] == "ok"
    cloud.azure.behaviour.may_query = False
    found = examined(cloud, broken=True)
    assert those(found, "failed") == {"workspace"}
    assert "the role 'Log Analytics Reader'" in found["workspace"]["found"]


def test_one_stream_is_missing(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """Only the stream that is missing fails."""
    cloud.azure.faults.add(refuse(f"Custom-{THREATS}", 404))
    found = examined(cloud, broken=True)
    broken = those(found, "failed")
    assert broken == {f"stream Custom-{THREATS}"}


def test_half_configured(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """Without an endpoint the streams are skipped and the token is checked."""
    configure(endpoint=None)
    found = examined(cloud)
    assert found["streams"] == {
        "check": "streams",
        "status": "skipped",
        "found": "azure.endpoint: empty",
    }
    assert found["Entra token"]["status"] == "ok"


def test_certificate_expiry(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """A certificate is a warning 14 days before it expires."""
    configure(client_secret_file=None, certificate_file="app.pem")
    certificate(cloud.folder / "app.pem", days=9)
    assert examined(cloud)["certificate"]["status"] == "warning"
    certificate(cloud.folder / "app.pem")
    assert examined(cloud)["certificate"]["status"] == "ok"


def test_audience(cloud: AzureTenancy) -> None:
    """A token for another cloud fails; one of another tenant is a warning."""
    settings = cloud.settings()

    def checked(value: str) -> str:
        return audience("token", settings, Token(value, int(time.time()) + 60, None)).status

    def token(**claims: str) -> str:
        cloud.azure.behaviour.tenant_id = claims.pop("tid", settings.tenant_id)
        return cloud.azure.issuer.issue(claims["aud"])[0]

    assert checked(token(aud="https://monitor.azure.com/")) == "ok"
    assert checked(token(aud="d3fd16a4-12aa-4a3d-9ab3-8ac12b4a4ae9")) == "ok"
    assert checked(token(aud="https://monitor.azure.us")) == "failed"
    assert checked(token(aud="https://monitor.azure.com", tid="other")) == "warning"
    assert checked("opaque") == "ok"


def test_send_test(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """`--send-test` sends one row, and prints the query that finds it."""
    check = examined(cloud, send_test=True)["test row"]
    (rows,) = [rows for rows in cloud.azure.rows.values() if rows]
    assert [row["PrimaryDescription"] for row in rows] == [check["found"].split('"')[1]]
    assert not any(cloud.azure.losses.values())


def test_without_the_extra(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """Without the extra `azure` all other checks are done."""
    (cloud.folder / "msal.py").write_text("raise ImportError(name='msal')")
    found = in_a_process(cloud, broken=True, PYTHONPATH=str(cloud.folder))
    assert "pip install '.[azure]'" in found["azure"]["found"]
    assert but(found) == {"azure"}


def documented() -> set[str]:
    """The checks that the page names."""
    page = Path(__file__).parents[2] / "docs/reference/doctor.md"
    table = page.read_text().partition("## The checks")[2].partition("## What")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE))


def test_every_check_is_documented(
    cloud: AzureTenancy, configure: Callable[..., None], manager: LoopbackManager
) -> None:
    """docs/reference/doctor.md has every check and no other."""
    certificate(cloud.folder / "app.pem")
    configure(client_secret_file=None, certificate_file="app.pem")
    names = set(examined(cloud, send_test=True))
    configure(dcr_resource_id=RULE, workspace_id=cloud.azure.behaviour.workspace_id)
    names |= deployed(cloud, manager).keys()
    cloud.configure(tenant_id=None)
    names |= deployed(cloud, manager).keys()
    kinds = {
        re.sub(r"Custom-\w+$", "STREAM", re.sub(r"acme/\w+", "NAME/FEED", name))
        .replace("acme", "NAME")
        .replace("table SentinelOne", "table TABLE ")
        .split("TABLE ")[0]
        for name in names
    }
    kinds = {kind + "TABLE" if kind == "table " else kind for kind in kinds}
    assert kinds == documented()


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read"), ("no PEM", "has no readable certificate")]
)
def test_certificate_that_cannot_be_read(
    cloud: AzureTenancy, configure: Callable[..., None], content: str | None, says: str
) -> None:
    """A certificate file that is missing, or holds something else, fails."""
    if content:
        (cloud.folder / "app.pem").write_text(content)
    configure(client_secret_file=None, certificate_file="app.pem")
    assert says in examined(cloud, broken=True)["certificate"]["found"]


def test_token_file_is_missing(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """A console without its token file fails, with the keys to look at."""
    (cloud.folder / "token").unlink()
    assert "see token_file" in examined(cloud, broken=True)["console acme"]["advice"]


def test_throttled(
    cloud: AzureTenancy, configure: Callable[..., None], console: ScriptedConsole
) -> None:
    """A limit that others use up is a warning, at the console and at the rule."""
    console.faults.add(faults.throttle("agents", retry_after=0, times=None))
    cloud.azure.faults.add(throttle(f"Custom-{THREATS}", retry_after=0, times=None))
    found = examined(cloud)
    assert those(found, "warning") == {"feed acme/agents", f"stream Custom-{THREATS}"}


def test_workspace_without_a_token(cloud: AzureTenancy, configure: Callable[..., None]) -> None:
    """Without a token the workspace is not asked."""
    configure(workspace_id=cloud.azure.behaviour.workspace_id)
    cloud.azure.behaviour.client_secret = "other"
    assert examined(cloud, broken=True)["workspace"]["status"] == "skipped"
