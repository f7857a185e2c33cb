"""Records look like the API's, and change as the API's do."""

from __future__ import annotations

import re
from datetime import timedelta
from threading import Thread
from typing import Any

import msgspec
import pytest

from demo.conftest import NOON
from doubles.world import Name, World
from sentinelone_source.demo.golden import golden
from sentinelone_source.demo.records import Records
from sentinelone_source.times import parse_time

SIZES: dict[Name, int] = {
    "activities": 1175,
    "agents": 4035,
    "alerts": 4211,
    "groups": 503,
    "threats": 8300,
}


def make(records: Records, name: Name, count: int) -> list[dict[str, Any]]:
    return [records.new(name, NOON + timedelta(seconds=n)) for n in range(count)]


def version(record: dict[str, Any]) -> str:
    info: dict[str, str] = record.get("alertInfo") or record.get("threatInfo") or record
    return info["updatedAt"]


@pytest.mark.parametrize("shape", SIZES)
def test_size_and_variety(shape: Name) -> None:
    """Records have the size of real ones and non-ASCII text, and depend on the seed alone."""
    made = make(Records(2), shape, 400)
    encoded = [msgspec.json.encode(record) for record in made]
    assert sum(map(len, encoded)) / len(encoded) == pytest.approx(SIZES[shape], rel=0.1)
    assert any(not line.isascii() for line in encoded)
    assert not any(re.search(rb"\{[=\w.]+\}", line) for line in encoded)
    assert made[:50] == make(Records(2), shape, 50) != make(Records(3), shape, 50)


@pytest.mark.parametrize("kind", [int(kind) for kind in golden("activities").kinds])
def test_every_activity_type(kind: int) -> None:
    """An activity of each type has its text and its account."""
    record = Records(1).new("activities", NOON, kind=kind)
    assert record["activityType"] == kind
    assert record["primaryDescription"]
    assert record["data"]["accountName"] == record["accountName"]


def test_what_content_reads() -> None:
    """Rules, hosts, processes and addresses stand where hunting queries look for them."""
    hit = Records(1).new("activities", NOON, kind=3608)["primaryDescription"]
    assert re.search(r"Alert created for\s+(.*?)\sfrom Custom Rule:\s(.*?)\sin Group", hit)
    assert re.search(r"detected on\s(\S+)\.", hit)
    login = Records(1).new("activities", NOON, kind=27)
    assert login["data"]["username"] in login["primaryDescription"]
    assert re.search(r"Address\s\d+\.\d+\.\d+\.\d+\.", login["primaryDescription"])


def test_ids_and_numbers() -> None:
    """Ids are unique, grow with time, and some integers are larger than a double holds."""
    made = make(Records(1), "activities", 3000)
    ids = [int(record["id"]) for record in made]
    assert ids == sorted(set(ids))
    values = [value for record in made[:300] for value in record["data"].values()]
    assert any(type(value) is int and int(float(value)) != value for value in values)


def test_relations() -> None:
    """Threats are of known agents, alerts are created before they are reported."""
    records = Records(1)
    agents = {agent["id"]: agent["computerName"] for agent in make(records, "agents", 5)}
    for threat in make(records, "threats", 20):
        info = threat["agentRealtimeInfo"]
        assert agents[info["agentId"]] == info["agentComputerName"]
    for alert in make(records, "alerts", 50):
        created, reported = (alert["alertInfo"][name] for name in ("createdAt", "reportedAt"))
        between = parse_time(reported) - parse_time(created)
        assert timedelta(milliseconds=100) <= between < timedelta(milliseconds=300)
    assert all(len(group["registrationToken"]) > 40 for group in make(records, "groups", 9))


def test_history(world: World) -> None:
    """History is spread over its time, and fractions have six, three or no digits."""
    world.populate(activities=600, over=timedelta(days=10))
    stamps = [record["createdAt"] for record in world.all("activities")]
    times = [parse_time(stamp) for stamp in stamps]
    assert NOON - timedelta(days=10, seconds=1) <= min(times) < NOON - timedelta(days=9)
    assert NOON - timedelta(days=1) < max(times) <= NOON
    digits = [len(stamp.partition(".")[2].rstrip("Z")) for stamp in stamps]
    assert set(digits) == {0, 3, 6}


@pytest.mark.parametrize("shape", SIZES)
def test_late_records(world: World, shape: Name) -> None:
    """A record of any kind can become visible late."""
    record = world.create(shape, late=timedelta(hours=1))
    assert NOON - parse_time(version(record)) >= timedelta(hours=1)


@pytest.mark.parametrize(
    ("change", "endpoint"),
    [
        ("update_agent", "agents"),
        ("decommission_agent", "agents"),
        ("update_group", "groups"),
        ("mitigate_threat", "threats"),
        ("change_verdict", "alerts"),
    ],
)
def test_updates(world: World, client: Any, change: str, endpoint: Name) -> None:
    """Each change has a version of its own, also within one instant, and needs a record."""
    with pytest.raises(KeyError, match=f"no {endpoint} yet"):
        getattr(world, change)()
    world.populate(over=timedelta(hours=1), **{endpoint: 1})
    versions = [parse_time(version(getattr(world, change)())) for _ in range(20)]
    assert versions == sorted(set(versions))


def test_what_updates_say(world: World) -> None:
    """A mitigation has a report, a verdict is another one, and both keep their beginnings."""
    threat, alert = world.new_threat(), world.new_alert()
    world.jump(timedelta(seconds=9))
    after = world.mitigate_threat(threat["id"])
    assert after["threatInfo"]["mitigationStatus"] == "mitigated"
    assert after["threatInfo"]["createdAt"] == threat["threatInfo"]["createdAt"]
    assert [report["status"] for report in after["mitigationStatus"]] == ["success"]
    assert world.get("threats", threat["id"]) == after
    judged = world.change_verdict()["alertInfo"]
    assert judged["analystVerdict"] != alert["alertInfo"]["analystVerdict"]
    assert judged["reportedAt"] == alert["alertInfo"]["reportedAt"]


def test_twelve_ticks_hold_a_bit_of_everything() -> None:
    """The demo shows every table and every kind of change, the same for a seed, and goes on."""
    one, other = (World(seed=3, now=lambda: NOON) for _ in range(2))
    events = [event for _ in range(12) for event in one.tick()]
    assert events == [event for _ in range(12) for event in other.tick()]
    assert set(events) >= {
        *("activity", "threat", "mitigation", "heartbeat", "alert", "verdict"),
        *("late threat", "late activity", "group change", "new agent"),
    }
    assert len([event for _ in range(300) for event in one.tick()]) > 300


def test_own_records(world: World, client: Any) -> None:
    """A test's own records are shown byte for byte, lone surrogates too, and can be replaced."""
    world.insert("activities", b'{"id":"8","createdAt":"2026-03-14T11:00:01Z","n":1.50}')
    assert b'"n":1.50}' in client.get("activities").content
    world.insert("threats", {"id": "9", "threatInfo": {"threatName": "bad \ud83d name"}})
    assert b'"bad \\ud83d name"' in client.get("threats").content
    assert world.get("threats", "9")["threatInfo"]["threatName"] == "bad \ud83d name"
    world.replace("threats", {"id": "9", "threatInfo": {}})
    assert world.get("threats", "9")["threatInfo"] == {}
    with pytest.raises(KeyError):
        world.replace("groups", {"id": "1"})
    with pytest.raises(KeyError):
        world.delete("groups", "1")


def test_indexes_follow_changes(world: World, client: Any) -> None:
    """A changed record is listed once, at its new place, also while others look."""
    world.populate(threats=30, agents=9, alerts=3, groups=3)
    order = {"sortBy": "updatedAt", "sortOrder": "asc", "limit": 7}
    client.walk("threats", **order)
    world.jump(timedelta(minutes=1))
    changed = world.mitigate_threat(world.ids("threats")[3])
    world.delete("threats", world.ids("threats")[0])
    assert client.walk("threats", **order)[-1] == changed
    threads = [Thread(target=lambda: [world.tick() for _ in range(30)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    before = set(world.ids("activities"))
    seen = {record["id"] for record in client.walk("activities", limit=20)}
    for thread in threads:
        thread.join()
    assert before <= seen <= set(world.ids("activities"))
