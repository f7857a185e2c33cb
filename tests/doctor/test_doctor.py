"""What the doctor says: of everything that can be wrong, in words that help, without a secret."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from doubles import faults
from doubles.azure_faults import refuse
from doubles.console import Console
from doubles.world import World
from sentinelone_source.azure.credential import Token
from sentinelone_source.doctor import entra, source
from sentinelone_source.feed.state import State
from sentinelone_source.feed.storage import FILE
from sentinelone_source.times import SECOND
from support.certificates import Authority
from support.cloud import certificate
from support.doctor import asked, but, deployed
from support.manager import RULE, Manager
from support.states import filled
from support.tenancy import NAMES, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.cloud import Cloud

THREATS = TABLES["threats"]


def test_all_is_well(cloud: Cloud, configure: Callable[..., None]) -> None:
    """Something healthy is called broken, or something is not looked at."""
    found = asked(cloud)
    assert but(found) == {"rule"}
    assert found["rule"]["found"] == "azure.dcr_resource_id is empty"
    wanted = {"configuration", "mappings", "console acme", "console acme token", "state"}
    wanted |= {"shipper", "Entra token", "ingestion endpoint", "rule"}
    wanted |= {f"feed acme/{name}" for name in NAMES}
    wanted |= {f"stream Custom-{table}" for table in TABLES.values()}
    assert found.keys() == wanted
    assert not any(cloud.azure.rows.values())
    assert not (cloud.folder / "state").exists()


def test_the_table(cloud: Cloud, configure: Callable[..., None]) -> None:
    """A person sees something else than a program, or no advice."""
    cloud.azure.behaviour.has_role = False
    text = cloud.call("doctor", status=1).out.decode()
    lines = text.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        check["status"] for check in asked(cloud, status=1).values()
    ]
    assert (
        "failed   stream Custom-SentinelOneActivities_CL        HTTP 403, OperationFailed" in text
    )
    assert text.count("→ give our identity the role 'Monitoring Metrics Publisher'") == 1
    assert text.count("HTTP 403, as above") == 4


def test_nothing_is_configured(cloud: Cloud) -> None:
    """What is not configured is called broken, or passed over in silence."""
    cloud.config.write_text("")
    found = asked(cloud, SENTINELONE_SOURCE_STATE="state", AZURE_AUTHORITY_HOST="")
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
def test_mistakes(cloud: Cloud, text: str, check: str) -> None:
    """A wrong configuration is not a finding, but a stack trace, or everything after it too."""
    cloud.config.write_text(text)
    found = asked(cloud, status=1)
    assert but(found, "failed") <= {"configuration"}
    assert list(found)[-1] == check
    assert found[check]["status"] == "failed"


def test_every_console(cloud: Cloud, configure: Callable[..., None], console: Console) -> None:
    """Only the first console is looked at, or a dead one hides the others."""
    dead = "http://127.0.0.1:9"
    configure(f'[[consoles]]\nname = "dead"\nurl = "{dead}"\ntoken_file = "token"\n')
    found = asked(cloud, status=1)
    assert but(found, "failed") == found.keys() - {"console dead"}
    assert found["console dead feeds"]["status"] == "skipped"
    assert "url, proxy and ca_file" in found["console dead"]["advice"]


@pytest.mark.parametrize(
    ("change", "failed", "said"),
    [
        (lambda c: c.tokens.clear(), "console acme", "make a new API token"),
        (lambda c: c.behaviour.forbidden.add("alerts"), "feed acme/alerts", "Custom Alerts > View"),
        (lambda c: c.faults.add(faults.login_page("*")), "console acme", "url, proxy"),
        (lambda c: c.faults.add(faults.status("agents", 503)), "feed acme/agents", "url, proxy"),
    ],
    ids=["token", "permission", "login page", "one endpoint"],
)
def test_console_that_refuses(
    cloud: Cloud,
    *,
    configure: Callable[..., None],
    console: Console,
    change: Callable[[Console], None],
    failed: str,
    said: str,
) -> None:
    """What the console objects to cannot be read from the report."""
    change(console)
    found = asked(cloud, status=1)
    broken = {name for name, check in found.items() if check["status"] == "failed"}
    assert broken == {failed}
    assert said in found[failed]["advice"]
    assert ("feed acme/threats" in found) is failed.startswith("feed")


def test_all_feeds_forbidden(
    cloud: Cloud, configure: Callable[..., None], console: Console
) -> None:
    """A token without any permission is taken for a console that is away."""
    console.behaviour.forbidden.update(NAMES)
    found = asked(cloud, status=1)
    assert found["console acme"]["status"] == "ok"
    assert {f"feed acme/{name}" for name in NAMES} == {
        name for name, check in found.items() if check["status"] == "failed"
    }


def test_mapping_the_console_does_not_know(cloud: Cloud, configure: Callable[..., None]) -> None:
    """A misspelt parameter of a mapping is found by the poller only."""
    (cloud.folder / "mappings").mkdir()
    (cloud.folder / "mappings" / "m.toml").write_text(
        f'table = "{THREATS}"\n[request.params]\ncontentHashez = "x"\n'
    )
    configure('[mappings]\npath = "mappings"')
    found = asked(cloud, status=1)
    assert "of this table's mapping" in found["feed acme/threats"]["advice"]


def test_feeds_that_are_off(cloud: Cloud, configure: Callable[..., None]) -> None:
    """A permission is missed that nobody needs."""
    configure("[feeds.alerts]\nenabled = false")
    assert "feed acme/alerts" not in asked(cloud)


@pytest.mark.parametrize(
    ("days", "status"), [(5, "warning"), (13.9, "warning"), (30, "ok"), (-1, "failed")]
)
def test_token_expiry(
    cloud: Cloud, configure: Callable[..., None], console: Console, days: float, status: str
) -> None:
    """A token runs out, and nobody was told when there was time."""
    console.behaviour.token_expires = datetime.now(UTC) + timedelta(days=days)
    check = asked(cloud, status=int(status == "failed"))["console acme token"]
    assert check["status"] == status
    assert console.behaviour.token_expires.date().isoformat() in check["found"]


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, "ok"), (90, "ok"), (300, "warning"), (-300, "warning")]
)
def test_clocks(seconds: int, status: str) -> None:
    """A clock that is wrong by minutes goes unseen."""
    clock = round((time.time() + seconds) * SECOND)
    check = source._clock("console", "https://x", clock, said=True)
    assert check.status == status
    assert ("behind" in check.found) is (seconds == -300)


def test_state(cloud: Cloud, configure: Callable[..., None]) -> None:
    """The doctor waits for a lock that the poller has, or changes what it looks at."""
    filled(cloud.folder / "state")

    def contents() -> dict[str, bytes]:
        files = (cloud.folder / "state").iterdir()
        ours = [file for file in files if not file.name.endswith(("-shm", "-wal"))]  # SQLite's
        return {file.name: file.read_bytes() for file in ours}

    before = contents()
    assert asked(cloud)["state"]["found"].endswith(" GB free")
    assert before == contents()
    state = State(cloud.folder / "state")
    assert asked(cloud)["state"]["status"] == "ok"
    state.close()
    (cloud.folder / "state" / FILE).write_bytes(b"not a database" * 100)
    assert asked(cloud, status=1)["state"]["status"] == "failed"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_state_that_cannot_be_written(cloud: Cloud, configure: Callable[..., None]) -> None:
    """That the directory belongs to somebody else shows only when the poller starts."""
    (cloud.folder / "state").mkdir(mode=0o555)
    assert "cannot be written" in asked(cloud, status=1)["state"]["found"]


def test_state_is_a_file(cloud: Cloud, configure: Callable[..., None]) -> None:
    """A path that is no directory is called good."""
    (cloud.folder / "state").write_text("")
    assert asked(cloud, status=1)["state"]["status"] == "failed"


def test_shipper(cloud: Cloud, configure: Callable[..., None], tmp_path: Path) -> None:
    """That nobody listens, or with a foreign certificate, shows only when rows pile up."""
    configure(to="stdout")
    assert asked(cloud)["shipper"]["status"] == "skipped"
    configure(to="http://127.0.0.1:9/")
    check = asked(cloud, status=1)["shipper"]
    assert "Connection refused" in check["found"]
    assert "start the shipper" in check["advice"]
    authority = Authority(tmp_path, "ours")
    world = World(seed=1)
    with Console(world, set(), tls=authority.server("127.0.0.1")) as listening:
        configure(to=listening.url)
        assert "TLS: " in asked(cloud, status=1)["shipper"]["found"]
        cloud.config.write_text(
            cloud.config.read_text().replace(
                "[handover]", f'[handover]\nca_file = "{authority.file}"'
            )
        )
        assert asked(cloud)["shipper"]["status"] == "ok"


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
    cloud: Cloud,
    *,
    configure: Callable[..., None],
    change: dict[str, Any],
    over: dict[str, Any],
    failed: str,
    said: str,
) -> None:
    """What Azure objects to cannot be read from the report."""
    configure(**over)
    for name, value in change.items():
        setattr(cloud.azure.behaviour, name, value)
    found = asked(cloud, "--send-test", status=1)
    assert found[failed]["status"] == "failed"
    assert said in found[failed].get("advice", "")
    assert not any(cloud.azure.rows.values())
    if not failed.startswith("stream"):
        broken = {name for name, check in found.items() if check["status"] == "failed"}
        assert broken == {failed}


def test_one_stream_is_missing(cloud: Cloud, configure: Callable[..., None]) -> None:
    """A table that was never deployed is not told from the others."""
    cloud.azure.faults.add(refuse(f"Custom-{THREATS}", 404))
    found = asked(cloud, status=1)
    broken = {name for name, check in found.items() if check["status"] == "failed"}
    assert broken == {f"stream Custom-{THREATS}"}


def test_half_configured(cloud: Cloud, configure: Callable[..., None]) -> None:
    """An endpoint that is not known yet is an error, or hides what is known."""
    configure(endpoint=None)
    found = asked(cloud)
    assert found["streams"] == {
        "check": "streams",
        "status": "skipped",
        "found": "azure.endpoint: empty",
    }
    assert found["Entra token"]["status"] == "ok"


def test_certificate_expiry(cloud: Cloud, configure: Callable[..., None]) -> None:
    """Our own certificate runs out, and nobody was told."""
    configure(client_secret_file=None, certificate_file="app.pem")
    certificate(cloud.folder / "app.pem", days=9)
    assert asked(cloud)["certificate"]["status"] == "warning"
    certificate(cloud.folder / "app.pem")
    assert asked(cloud)["certificate"]["status"] == "ok"


def test_audience(cloud: Cloud) -> None:
    """A token for another cloud, or another tenant's, is called good."""
    settings = cloud.settings()

    def checked(value: str) -> str:
        return entra.audience("token", settings, Token(value, int(time.time()) + 60, None)).status

    def token(**claims: str) -> str:
        cloud.azure.behaviour.tenant_id = claims.pop("tid", settings.tenant_id)
        return cloud.azure._mint.issue(claims["aud"], "app")[0]

    assert checked(token(aud="https://monitor.azure.com/")) == "ok"
    assert checked(token(aud="d3fd16a4-12aa-4a3d-9ab3-8ac12b4a4ae9")) == "ok"
    assert checked(token(aud="https://monitor.azure.us")) == "failed"
    assert checked(token(aud="https://monitor.azure.com", tid="other")) == "warning"
    assert checked("opaque") == "ok"


def test_send_test(cloud: Cloud, configure: Callable[..., None]) -> None:
    """The test row cannot be found, or there are several."""
    check = asked(cloud, "--send-test")["test row"]
    (rows,) = [rows for rows in cloud.azure.rows.values() if rows]
    assert [row["PrimaryDescription"] for row in rows] == [check["found"].split('"')[1]]
    assert not any(cloud.azure.losses.plain().values())


def test_without_the_extra(cloud: Cloud, configure: Callable[..., None]) -> None:
    """Who has no Azure packages cannot have the console looked at."""
    (cloud.folder / "msal.py").write_text("raise ImportError(name='msal')")
    found = asked(cloud, status=1, PYTHONPATH=str(cloud.folder))
    assert "pip install '.[azure]'" in found["azure"]["found"]
    assert but(found) == {"azure"}


def documented() -> set[str]:
    """The checks that the page names."""
    page = Path(__file__).parents[2] / "docs" / "doctor.md"
    table = page.read_text().partition("## The checks")[2].partition("## What")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE))


def test_every_check_is_documented(
    cloud: Cloud, configure: Callable[..., None], manager: Manager
) -> None:
    """A line of the report that its reader cannot look up, or a check that is gone."""
    certificate(cloud.folder / "app.pem")
    configure(client_secret_file=None, certificate_file="app.pem")
    names = set(asked(cloud, "--send-test"))
    configure(dcr_resource_id=RULE)
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
