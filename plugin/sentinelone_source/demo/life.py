"""The daily life of the demo tenant: a rotation of things that happen."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from .endpoints import ENDPOINTS, Name
from .shelf import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from .records import Record
    from .world import World


class Event(NamedTuple):
    """What happened to which record."""

    what: str
    endpoint: Name
    id: str


class Moment(NamedTuple):
    """One thing that can happen."""

    what: str
    endpoint: Name
    act: Callable[[World], Record]


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


ROTATION: Final = (
    Moment("heartbeat", "agents", lambda w: w.update_agent(_active(w))),
    Moment("threat", "threats", lambda w: w.new_threat()),
    Moment("alert", "alerts", lambda w: w.new_alert()),
    Moment("late activity", "activities", lambda w: w.new_activity(late=_lateness(w))),
    Moment("mitigation", "threats", lambda w: w.mitigate_threat(_recent(w, "threats"))),
    Moment("group change", "groups", lambda w: w.update_group()),
    Moment("verdict", "alerts", lambda w: w.change_verdict(_recent(w, "alerts"))),
    Moment("heartbeat", "agents", lambda w: w.update_agent(_active(w))),
    Moment("new agent", "agents", lambda w: w.new_agent()),
    Moment("late threat", "threats", lambda w: w.new_threat(late=_lateness(w))),
    Moment("leaving", "agents", lambda w: w.decommission_agent(_active(w))),
    Moment("new group", "groups", lambda w: w.new_group()),
    Moment("deletion", "threats", _forget_oldest_threat),
)
_ACTIVITY: Final = Moment("activity", "activities", lambda w: w.new_activity())


def step(world: World, index: int) -> list[Event]:
    """One or two activities, and the next moment of the rotation."""
    if not world.count("agents"):
        world.populate(agents=6, groups=4, threats=2, alerts=2, over=timedelta(minutes=30))
    moments = [_ACTIVITY] * (1 + index % 2) + [ROTATION[index % len(ROTATION)]]
    return [_happen(world, moment) for moment in moments]


def _happen(world: World, moment: Moment) -> Event:
    record = moment.act(world)
    identifier = find(record, ENDPOINTS[moment.endpoint].id)
    return Event(moment.what, moment.endpoint, str(identifier))
