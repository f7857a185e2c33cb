"""Agents with a heartbeat through real shippers: changes arrive, and nothing that repeats a row."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from doubles.azure import Azure
from sentinelone_source.demo.golden import text
from shippers.delivery import Delivery, pause
from shippers.vector_run import Vector, adapted, command
from support.tenancy import TABLES, Tenancy
from support.waiting import until

pytestmark = pytest.mark.timeout(900)
AGENTS = 20
KILLS = 3
SHIPPERS = [
    pytest.param("Fluent Bit", marks=pytest.mark.shippers),
    pytest.param("vector", marks=pytest.mark.shippers),
    pytest.param("stand-in", marks=pytest.mark.slow),
]


class RunningShipper(NamedTuple):
    """One that runs; `stop` delivers what it has, and gives its exit status."""

    url: str
    azure: Azure
    stop: Callable[[], int]

    def arrived(self) -> Counter[tuple[str, str]]:
        """Ids and names of the agents' rows that Azure has, with how often they came."""
        rows = self.azure.rows.get(TABLES["agents"], ())
        return Counter((row["Id"], row["ComputerName"]) for row in rows)


@pytest.fixture(params=SHIPPERS)
def running(
    request: pytest.FixtureRequest, tenancy: Tenancy, tmp_path: Path
) -> Iterator[RunningShipper]:
    """A shipper to which all agents were handed over."""
    if request.param == "Fluent Bit":
        with Delivery(request.getfixturevalue("fluent_bit"), tenancy) as delivery:
            yield begun(
                tenancy, RunningShipper(delivery.url, delivery.azure, delivery.shipper.stop)
            )
    else:
        azure: Azure = request.getfixturevalue("azure")
        document = adapted("http", tmp_path, azure, tenancy.config)
        with Vector(command(request.param), document, tmp_path, azure) as vector:
            yield begun(tenancy, RunningShipper(vector.url, azure, vector.stop))


def begun(tenancy: Tenancy, shipper: RunningShipper) -> RunningShipper:
    """The same, when every agent's row has arrived."""
    tenancy.world.populate(over=timedelta(minutes=30), agents=AGENTS)
    tenancy.configure('[feeds.agents]\nheartbeat = "24h"\n')
    tenancy.once("--table", "agents", "--to", shipper.url)
    until(lambda: shipper.arrived().total() == AGENTS, "a row of each agent")
    return shipper


def report(tenancy: Tenancy, names: dict[str, str]) -> None:
    """Every agent reports again, under the names that it has by now."""
    for one, name in names.items():
        now = text(tenancy.world.now())
        news = {"updatedAt": now, "lastActiveDate": now, "computerName": name}
        tenancy.world.replace("agents", tenancy.world.get("agents", one) | news)


def test_only_changes_arrive(tenancy: Tenancy, running: RunningShipper) -> None:
    """Of all agents that report, again and again, only the one that changed has a new row."""
    expected = running.arrived()
    names = dict(expected.keys())
    changed = next(iter(names))
    for name in (names[changed], "renamed", "renamed"):
        names[changed] = name
        report(tenancy, names)
        tenancy.once("--table", "agents", "--to", running.url)
    until(lambda: running.arrived()[changed, "renamed"], "the change")
    assert running.stop() == 0
    assert running.arrived() == expected + Counter({(changed, "renamed"): 1})


def test_no_change_is_missing_after_kills(tenancy: Tenancy, running: RunningShipper) -> None:
    """Each change arrives though the source is killed; agents without one are not repeated."""
    rng = random.Random(9)
    first = running.arrived()
    names = dict(first.keys())
    renamed = list(names)[:KILLS]
    for one in renamed:
        with tenancy.start("--table", "agents", "--to", running.url) as source:
            source.wait_for("swept")
            names[one] = f"renamed-{one}"
            report(tenancy, names)
            pause(rng, 0.2)  # the end of the block is a SIGKILL
        report(tenancy, names)
        tenancy.once("--table", "agents", "--to", running.url)
        until(lambda one=one: running.arrived()[one, names[one]], "the change")  # type: ignore[misc]
    assert running.stop() == 0
    for agent, times in running.arrived().items():
        assert agent[0] in renamed or times == first[agent] == 1
