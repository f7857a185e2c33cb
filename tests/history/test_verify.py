"""What is missing is named, and nothing else: by the state alone, and by the workspace."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from doubles.azure_faults import refuse
from sentinelone_source.demo.golden import text
from sentinelone_source.errors import ConfigError
from sentinelone_source.history.verify_workspace import TableQuery, comparable
from sentinelone_source.mapping.spec.files import load_mappings
from support.cloud_fixtures import cloud, plain_environment
from support.tenancy import NAMES, TABLES

if TYPE_CHECKING:
    from support.cloud import AzureTenancy
    from support.tenancy import Tenancy

__all__ = ["cloud", "plain_environment"]

THREATS = f"Custom-{TABLES['threats']}"


class Site:
    """A tenant, its poller's state, and a workspace."""

    def __init__(self, cloud: AzureTenancy, tenancy: Tenancy) -> None:
        self.cloud, self.tenancy, self.world = cloud, tenancy, tenancy.world
        self.configure()

    def configure(self, **over: Any) -> None:
        """Write the configuration of the poller and of Azure."""
        self.tenancy.configure(**over)
        both = self.tenancy.config.read_text()
        self.cloud.configure(before=both, workspace_id=self.cloud.azure.behaviour.workspace_id)

    def poll(self) -> bytes:
        """The rows of one sweep of every feed."""
        return bytes(self.cloud.call("run", "--once").out)

    def deliver(self, rows: bytes) -> None:
        """Send rows to the workspace."""
        (self.cloud.folder / "rows.ndjson").write_bytes(rows)
        self.cloud.call("replay", "rows.ndjson", "--restart")

    def verify(self, *arguments: object, status: int = 0) -> dict[str, dict[str, Any]]:
        """What `verify --json` says of each feed."""
        running = self.cloud.call("verify", "--json", *arguments, status=status)
        return {line["feed"]: line for line in map(json.loads, running.lines)}

    def table(self, *arguments: object, status: int = 0) -> str:
        """What `verify` shows people."""
        return self.cloud.call("verify", *arguments, status=status).out.decode()


@pytest.fixture
def site(cloud: AzureTenancy, tenancy: Tenancy) -> Site:
    """Nothing has happened yet."""
    pytest.importorskip("duckdb_kql", reason="no engine for KQL on this machine")
    return Site(cloud, tenancy)


def number(found: dict[str, dict[str, Any]], what: str) -> dict[str, Any]:
    """One number of every feed."""
    return {name: line[what] for name, line in found.items()}


def test_the_whole_loop(site: Site) -> None:
    """A row that was lost behind a 204 is named, written for `replay`, and found after it.

    Azure replaces the `TimeGenerated` of most rows, which are older than two days.
    """
    azure = site.cloud.azure
    azure.behaviour.keep_times = False
    site.configure(start="8d")
    counts = dict.fromkeys(NAMES, 5) | {"threats": 1}
    site.world.populate(over=timedelta(days=6), **counts)
    [lost] = site.world.ids("threats")
    rows = site.poll()
    azure.faults.add(refuse(THREATS, 204))
    site.deliver(rows)

    arguments = "--workspace", "--since", "8d", "--rows", "missing.ndjson"
    found = site.verify(*arguments, status=1)
    assert number(found, "records") == counts
    assert number(found, "in_workspace") == counts | {"threats": 0}
    assert [line["missing_ids"] for line in found.values() if line["missing"]] == [[lost]]
    site.cloud.call("replay", "missing.ndjson")
    assert [row["Id"] for row in azure.rows[TABLES["threats"]]] == [lost]
    found = site.verify(*arguments)
    assert number(found, "in_workspace") == counts
    assert (site.cloud.folder / "missing.ndjson").read_bytes() == b""


def test_what_the_state_remembers(site: Site) -> None:
    """A record that was not handed over is named; one that is too young for it is not."""
    shorter = '[feeds.activities]\nremember = "1m"\n'  # than the look-back, which counts then
    site.configure(more=shorter, lookback="2h")
    site.world.populate(over=timedelta(hours=1), **dict.fromkeys(NAMES, 3))
    site.poll()
    found = site.verify()
    assert number(found, "handed_over") == number(found, "records") == dict.fromkeys(NAMES, 3)
    assert number(found, "in_workspace") == dict.fromkeys(NAMES)

    late = site.world.new_activity(late=timedelta(minutes=30))["id"]
    site.world.new_threat()
    site.world.change_verdict()
    found = site.verify(status=1)
    assert [line["missing_ids"] for line in found.values() if line["missing"]] == [[late]]
    assert found["activities"]["due"] == found["alerts"]["pending"] == 1
    assert f"acme/activities: missing {late}" in site.table(status=1)

    with site.tenancy.start() as running:  # nor does a poller's lock keep anybody waiting
        running.wait_for("swept", feed="activities")
        assert number(site.verify(status=1), "missing_ids")["activities"] == [late]


def test_what_the_state_has_forgotten(site: Site) -> None:
    """Records older than what the state remembers are counted apart, not as missing."""
    site.configure(start="30d")
    site.world.populate(over=timedelta(days=20), **dict.fromkeys(NAMES, 5))
    site.poll()
    site.poll()  # the first sweep has forgotten nothing yet
    found = site.verify("--since", "20d")
    assert number(found, "not_remembered") != dict.fromkeys(NAMES, 0)
    for line in found.values():
        assert line["records"] == line["handed_over"] + line["not_remembered"]
    assert "older than what the state remembers" in site.table("--since", "20d")


def test_a_workspace_that_answers_in_parts(site: Site) -> None:
    """A slice that is too large is halved; one that stays too large is an error."""
    site.world.populate(over=timedelta(hours=1), activities=30)
    rows = site.poll()
    site.deliver(rows)
    site.cloud.azure.behaviour.most_rows = 4
    arguments = "--table", "activities", "--workspace", "--since", "2h"
    assert site.verify(*arguments)["activities"]["in_workspace"] == 30
    site.cloud.azure.behaviour.most_rows = 0
    found = site.verify(*arguments, status=1)["activities"]
    assert "returned only part of the rows" in found["error"]
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in found["error"]


def test_a_heartbeat_is_not_missing(site: Site) -> None:
    """A version that only repeats the last row of its id needs no row of its own."""
    site.configure(more='[feeds.agents]\nheartbeat = "24h"\n')
    world = site.world
    world.populate(over=timedelta(hours=1), agents=2)
    rows = site.poll()
    [one, _] = world.ids("agents")
    at = text(world.now() - timedelta(seconds=3))
    world.replace("agents", world.get("agents", one) | {"updatedAt": at, "lastActiveDate": at})
    assert site.poll() == b""
    arguments = "--table", "agents", "--workspace"
    assert site.verify(*arguments, status=1)["agents"]["missing"] == 2
    site.deliver(rows)
    assert site.verify(*arguments)["agents"]["in_workspace"] == 2


def test_what_cannot_be_compared(site: Site) -> None:
    """A feed that is refused or was never swept is an error, not a proof."""
    running = site.cloud.call("verify", status=1)
    assert "no state yet" in running.errors
    site.world.populate(over=timedelta(hours=1), **dict.fromkeys(NAMES, 1))
    site.tenancy.once("--table", "threats", "--table", "groups")
    site.tenancy.console.behaviour.forbidden.add("threats")
    found = site.verify(status=1)
    assert "4030010" in found["threats"]["error"]
    assert "not swept yet" in found["agents"]["error"]
    assert found["groups"]["error"] == ""
    site.tenancy.console.tokens.clear()
    site.verify("--table", "groups", status=3)
    site.verify("--since", "yesterday", status=2)
    site.verify("--rows", "nowhere/rows.ndjson", status=2)


@pytest.mark.parametrize("name", load_mappings())
def test_every_table_has_its_keys(name: str) -> None:
    """The columns of each built-in mapping hold what a comparison needs."""
    mapping = load_mappings()[name]
    query = TableQuery.of(mapping)
    assert query.id
    assert query.position
    assert bool(query.version) is (mapping.ordering.version is not None)
    with pytest.raises(ConfigError, match=r"no column of .* holds the id"):
        TableQuery.of(replace(mapping, columns=()))


@given(st.datetimes(), st.integers(0, 6), st.sampled_from(["Z", "+00:00", ""]))
def test_times_as_azure_writes_them(moment: datetime, digits: int, zone: str) -> None:
    """A version is the same whether the console wrote its time, or Azure with seven digits."""
    whole, fraction = f"{moment:%Y-%m-%dT%H:%M:%S}".zfill(19), f"{moment.microsecond:06}"
    shown = whole + (f".{fraction[:digits]}" if digits else "") + zone
    stored = f"{whole}.{fraction[:digits]:0<7}Z"
    assert comparable(f"a@b@{shown}") == comparable(f"a@b@{stored}")
    assert comparable(f"a@{shown}") != comparable(f"b@{shown}")
