"""What happens in the demo tenant: a rotation of events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sentinelone_source.demo.endpoints import ENDPOINTS, Name
from sentinelone_source.demo.index import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentinelone_source.demo.records import Record
    from sentinelone_source.demo.world import World


class Event(NamedTuple):
    """What happened to which record."""

    what: str
    endpoint: Name
    id: str


_LATEST: Final = 40


def _lateness(world: World) -> timedelta:
    return timedelta(seconds=world.records.rng.uniform(5, 90))


def _recent(world: World, endpoint: Name) -> str:
    return world.records.rng.choice(world.ids(endpoint)[-_LATEST:])


def _active(world: World) -> str:
    """An agent in service; made when there is none."""
    ids = world.ids("agents")
    for identifier in world.records.rng.sample(ids, min(len(ids), _LATEST)):
        if not world.get("agents", identifier)["isDecommissioned"]:
            return identifier
    return str(world.new_agent()["id"])


def _forget_oldest_threat(world: World) -> Record:
    oldest = world.ids("threats")[0]
    record = world.get("threats", oldest)
    world.delete("threats", oldest)
    return record


_Act = tuple[str, Name, "Callable[[World], Record]"]
_ACTIVITY: Final[_Act] = ("activity", "activities", lambda w: w.new_activity())
_ROTATION: Final[tuple[_Act, ...]] = (
    ("heartbeat", "agents", lambda w: w.update_agent(_active(w))),
    ("threat", "threats", lambda w: w.new_threat()),
    ("alert", "alerts", lambda w: w.new_alert()),
    ("late activity", "activities", lambda w: w.new_activity(late=_lateness(w))),
    ("mitigation", "threats", lambda w: w.mitigate_threat(_recent(w, "threats"))),
    ("group change", "groups", lambda w: w.update_group()),
    ("verdict", "alerts", lambda w: w.change_verdict(_recent(w, "alerts"))),
    ("heartbeat", "agents", lambda w: w.update_agent(_active(w))),
    ("new agent", "agents", lambda w: w.new_agent()),
    ("late threat", "threats", lambda w: w.new_threat(late=_lateness(w))),
    ("leaving", "agents", lambda w: w.decommission_agent(_active(w))),
    ("new group", "groups", lambda w: w.new_group()),
    ("deletion", "threats", _forget_oldest_threat),
)


class Activity:
    """Makes things happen in a world, one after another."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ticks = 0

    def tick(self) -> list[Event]:
        """One or two activities, and the next event; twelve ticks hold a bit of everything."""
        world = self._world
        with world.lock:
            number, self._ticks = self._ticks, self._ticks + 1
            if not world.ids("agents"):
                start: dict[str, Any] = {"agents": 6, "groups": 4, "threats": 2, "alerts": 2}
                world.populate(over=timedelta(minutes=30), **start)
            acts = [_ACTIVITY] * (1 + number % 2) + [_ROTATION[number % len(_ROTATION)]]
            return [_event(world, act) for act in acts]


def _event(world: World, act: _Act) -> Event:
    what, endpoint, make = act
    return Event(what, endpoint, str(find(make(world), ENDPOINTS[endpoint].id)))
