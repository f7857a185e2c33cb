"""`run --once`: one sweep of every feed, and a status that a job scheduler can use."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doubles import faults
from sentinelone_source.config.settings import load_settings
from sentinelone_source.service import build_service
from sentinelone_source.telemetry.logs import configure_logs
from sentinelone_source.timings import Timings
from support.processes import Running
from support.tenancy import NAMES, TABLES, TOKEN, table_of

if TYPE_CHECKING:
    from doubles.world import Name
    from support.tenancy import Tenancy

PERMISSIONS = {
    "activities": "Activity Page > View",
    "agents": "Endpoints > View",
    "alerts": "Custom Alerts > View",
    "groups": "Groups > View",
    "threats": "Threats > View",
}


def test_everything_once(tenancy: Tenancy) -> None:
    """A run hands over every row, and the next one only what is new or changed."""
    tenancy.populate(25)
    tenancy.configure(page_size=10)
    assert set(tenancy.once().lines) == tenancy.shown()
    assert tenancy.once().lines == []
    tenancy.world.new_threat()
    changed = tenancy.world.change_verdict()
    again = tenancy.once().lines
    assert sorted(map(table_of, again)) == [TABLES["alerts"], TABLES["threats"]]
    assert changed["alertInfo"]["alertId"].encode() in b"".join(again)


@pytest.mark.parametrize("given", [["threats"], [TABLES["threats"], "groups"]])
def test_only_some_tables(tenancy: Tenancy, given: list[str]) -> None:
    """`--table` limits a run to the feeds that it names, by either name."""
    tenancy.populate(3)
    lines = tenancy.once(*[part for name in given for part in ("--table", name)]).lines
    assert set(lines) == tenancy.shown(
        [name for name in NAMES if name in given or TABLES[name] in given]
    )
    assert {request.endpoint for request in tenancy.console.requests} <= {"groups", "threats"}


def test_token_is_refused(tenancy: Tenancy) -> None:
    """A run with a refused token ends with status 3, and each feed says so."""
    tenancy.console.faults.add(faults.unauthorized("*", times=None))
    running = tenancy.once(status=3)
    assert {line["feed"] for line in running.events("refused")} == set(NAMES)
    assert running.out == b""


def test_all_feeds_are_forbidden(tenancy: Tenancy) -> None:
    """A run that may read no feed ends with status 3, and names the missing permissions."""
    tenancy.console.behaviour.forbidden = set(NAMES)
    running = tenancy.once(status=3)
    told = {line["feed"]: line["permission"] for line in running.events("feed_refused")}
    assert told == PERMISSIONS


@pytest.mark.parametrize("name", ["alerts", "threats"])
def test_one_feed_is_forbidden(tenancy: Tenancy, name: Name) -> None:
    """A missing permission is named and stops its own feed only."""
    tenancy.populate(3)
    tenancy.console.behaviour.forbidden = {name}
    running = tenancy.once()
    (told,) = running.events("feed_refused")
    assert (told["feed"], told["permission"]) == (name, PERMISSIONS[name])
    assert told["level"] == "error"
    assert set(running.lines) == tenancy.shown([one for one in NAMES if one != name])


def test_filter_is_not_understood(tenancy: Tenancy) -> None:
    """A parameter that the console refuses stops its own feed only, and the status is 1."""
    tenancy.populate(3)
    with Path(tenancy.folder, "mappings", "groups.toml").open("a") as mapping:
        mapping.write('params = { noSuchFilter = "1" }\n')
    running = tenancy.once(status=1)
    (told,) = running.events("feed_not_understood")
    assert told["feed"] == "groups"
    assert "4000010" in told["error"]
    assert set(running.lines) == tenancy.shown([one for one in NAMES if one != "groups"])


def test_console_stays_away(tenancy: Tenancy, capfd: pytest.CaptureFixture[str]) -> None:
    """A run whose patience with a console has ended has status 1; the other feeds are read."""
    timings = Timings(once_patience=1.0, console_first_retry=0.05)
    configure_logs()
    tenancy.populate(2)
    tenancy.console.faults.add(faults.bad_gateway("threats", times=None))
    settings = load_settings(tenancy.config, os.environ)
    with build_service(settings, (), once=True, timings=timings) as assembled:
        assert asyncio.run(assembled.run()) == 1
    out = capfd.readouterr().out.encode()
    assert set(out.splitlines()) == tenancy.shown([one for one in NAMES if one != "threats"])


def test_two_consoles(tenancy: Tenancy) -> None:
    """Two consoles share no keys, one that is refused stops no other, and rows tell them apart."""
    tenancy.populate(5)
    (tenancy.folder / "other").write_text("some-other-token")
    more = f'[[consoles]]\nname = "b"\nurl = "{tenancy.console.url}/"\ntoken_file = "other"\n'
    more += '[mappings.columns]\nTenant = {console = "name"}\nConsoleUrl = {console = "url"}\n'
    tenancy.configure(more)
    running = tenancy.once(status=3)
    assert {line["console"] for line in running.events("refused")} == {"b"}
    of_console = b',"Tenant":"%s","ConsoleUrl":"' + tenancy.console.url.encode() + b'"}'
    assert set(running.lines) == {line[:-1] + of_console % b"acme" for line in tenancy.shown()}
    tenancy.console.tokens.add("some-other-token")
    running = tenancy.once()
    assert {line["console"] for line in running.events("swept") if line["rows"]} == {"b"}
    assert set(running.lines) == {line[:-1] + of_console % b"b" for line in tenancy.shown()}


def test_environment_alone(tenancy: Tenancy) -> None:
    """One console can be polled without a configuration file."""
    tenancy.populate(2)
    state = tenancy.folder / "elsewhere"
    tenancy.config.unlink()
    environ = {
        "SENTINELONE_URL": tenancy.console.url,
        "SENTINELONE_TOKEN": TOKEN,
        "SENTINELONE_SOURCE_STATE": str(state),
    }
    with Running("run", "--once", folder=tenancy.folder, environ=environ) as running:
        assert running.wait() == 0, running.errors
    assert set(running.lines) == tenancy.shown()
    assert (state / "state.sqlite").exists()
