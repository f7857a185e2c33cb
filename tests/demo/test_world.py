"""Things happen in the tenant as they would in a real one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from doubles.world import World
from sentinelone_source.demo.timestamps import parse

if TYPE_CHECKING:
    from doubles.world import Name

NOON = datetime(2026, 3, 14, 12, 0, 0, 589_793, UTC)


def ticking(world: World, times: int) -> list[Any]:
    return [event for _ in range(times) for event in world.tick()]


def test_late_arrivals(world: World, client: Any) -> None:
    """A client without a look-back would not be caught."""
    for index in range(5):
        world.jump(timedelta(minutes=index))
        world.new_activity()
    late = world.new_activity(late=timedelta(minutes=7))
    assert world.now() - parse(late["createdAt"]) >= timedelta(minutes=7)
    walked = client.walk("activities", sortBy="createdAt", sortOrder="asc")
    assert walked.index(late) not in {0, 5}
    assert world.ids("activities")[-1] == late["id"]


@pytest.mark.parametrize("shape", ["activity", "agent", "alert", "group", "threat"])
def test_everything_can_be_late(world: World, shape: str) -> None:
    """Only some feeds could be tested against late records."""
    record = getattr(world, f"new_{shape}")(late=timedelta(hours=1))
    info = record.get("alertInfo") or record.get("threatInfo") or record
    assert NOON - parse(info["updatedAt"]) >= timedelta(hours=1)


def test_mitigation(world: World) -> None:
    """Updates of threats would not show as such."""
    before = world.new_threat()
    world.jump(timedelta(seconds=9))
    after = world.mitigate_threat(before["id"])
    assert after["threatInfo"]["updatedAt"] > before["threatInfo"]["updatedAt"]
    assert after["threatInfo"]["createdAt"] == before["threatInfo"]["createdAt"]
    assert after["threatInfo"]["mitigationStatus"] == "mitigated"
    assert [entry["status"] for entry in after["mitigationStatus"]] == ["success"]
    assert world.get("threats", before["id"]) == after


def test_verdict(world: World) -> None:
    """A client that never reads alerts again would not be caught."""
    before = world.new_alert()["alertInfo"]
    world.jump(timedelta(hours=2))
    after = world.change_verdict(before["alertId"])["alertInfo"]
    assert after["updatedAt"] > before["updatedAt"]
    assert after["reportedAt"] == before["reportedAt"]
    assert after["analystVerdict"] != before["analystVerdict"]


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
def test_a_version_is_never_used_twice(world: World, change: str, endpoint: Name) -> None:
    """Two changes within a moment would look like one."""
    kinds: dict[str, Any] = {endpoint: 1}
    world.populate(**kinds)
    versions = []
    for _ in range(30):
        record = getattr(world, change)()
        info = record.get("alertInfo") or record.get("threatInfo") or record
        versions.append(parse(info["updatedAt"]))
    assert versions == sorted(set(versions))


def test_history_is_spread(world: World) -> None:
    """A back-fill would find everything in one place."""
    world.populate(activities=200, over=timedelta(days=10))
    times = [parse(record["createdAt"]) for record in world.all("activities")]
    assert len(times) == 200
    assert NOON - timedelta(days=10, seconds=1) <= min(times) < NOON - timedelta(days=9)
    assert NOON - timedelta(days=1) < max(times) <= NOON


def test_twelve_ticks_hold_a_bit_of_everything(world: World) -> None:
    """The demo would leave a table empty or a case unseen."""
    events = ticking(world, 12)
    what = {(event.what, event.endpoint) for event in events}
    assert what >= {
        ("activity", "activities"),
        ("threat", "threats"),
        ("mitigation", "threats"),
        ("heartbeat", "agents"),
        ("alert", "alerts"),
        ("verdict", "alerts"),
        ("late threat", "threats"),
        ("group change", "groups"),
    }


def test_ticks_are_repeatable() -> None:
    """A demo seen once could not be seen again."""
    one, other = (World(seed=3, now=lambda: NOON) for _ in range(2))
    assert ticking(one, 60) == ticking(other, 60)
    assert one.all("threats") == other.all("threats")


def test_ticks_go_on(world: World) -> None:
    """The demo would die after a while."""
    assert len(ticking(world, 400)) > 400


def test_ticks_without_an_agent_in_service(world: World) -> None:
    """The demo would end with its last agent."""
    world.populate(agents=1, groups=1, threats=1, alerts=1)
    world.decommission_agent()
    ticking(world, 1)
    assert [agent["isDecommissioned"] for agent in world.all("agents")] == [True, False]


def test_own_records(world: World, client: Any) -> None:
    """Tests could not set up the record they are about."""
    world.insert("activities", {"id": "7", "createdAt": "2026-03-14T11:00:00Z", "data": {}})
    world.insert("activities", b'{"id":"8","createdAt":"2026-03-14T11:00:01Z","n":1.50}')
    assert b'"n":1.50}' in client.get("activities", ids="8").content
    assert [record["id"] for record in client.walk("activities", sortOrder="asc")] == ["7", "8"]


def test_lone_surrogates(world: World, client: Any) -> None:
    """Nobody could test what becomes of them."""
    world.insert("threats", {"id": "9", "threatInfo": {"threatName": "bad \ud83d name"}})
    assert b'"bad \\ud83d name"' in client.get("threats").content
    assert world.get("threats", "9")["threatInfo"]["threatName"] == "bad \ud83d name"


def test_replace_and_delete(world: World) -> None:
    """A mistyped id would pass unnoticed."""
    world.insert("groups", {"id": "1", "name": "a", "updatedAt": "2026-03-14T11:00:00Z"})
    world.replace("groups", {"id": "1", "name": "b", "updatedAt": "2026-03-14T11:00:01Z"})
    assert world.get("groups", "1")["name"] == "b"
    world.delete("groups", "1")
    assert world.count("groups") == 0
    with pytest.raises(KeyError):
        world.delete("groups", "1")
    with pytest.raises(KeyError):
        world.replace("groups", {"id": "1"})


def test_copies(world: World) -> None:
    """A test that changes what it got would change the tenant."""
    identifier = world.new_group()["id"]
    world.get("groups", identifier)["name"] = "changed"
    assert world.get("groups", identifier)["name"] != "changed"


def test_changes_need_a_record(world: World) -> None:
    """A change without anything to change would pass unnoticed."""
    with pytest.raises(KeyError, match="no alerts yet"):
        world.change_verdict()


def test_indexes_follow_changes(world: World, client: Any) -> None:
    """A changed record would be listed at its old place, or twice."""
    world.populate(threats=30)
    order = {"sortBy": "updatedAt", "sortOrder": "asc", "limit": 7}
    client.walk("threats", **order)
    world.jump(timedelta(minutes=1))
    changed = world.mitigate_threat(world.ids("threats")[3])
    world.delete("threats", world.ids("threats")[0])
    walked = client.walk("threats", **order)
    assert walked[-1] == changed
    assert sorted(record["id"] for record in walked) == sorted(world.ids("threats"))


def test_many_threads(world: World, client: Any) -> None:
    """Pages would be torn, or the console fall over, while the tenant lives."""
    world.populate(activities=300, agents=20, alerts=5, threats=5, groups=3)
    before = set(world.ids("activities"))
    threads = [Thread(target=ticking, args=(world, 60)) for _ in range(3)]
    for thread in threads:
        thread.start()
    seen = {record["id"] for record in client.walk("activities", limit=20)}
    for thread in threads:
        thread.join()
    assert before <= seen
    assert set(world.ids("activities")) == {r["id"] for r in client.walk("activities", limit=900)}
