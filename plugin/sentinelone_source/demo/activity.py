"""What happens in the demo tenant: a rotation of events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from sentinelone_source.demo.endpoints import ENDPOINTS, Name
from sentinelone_source.demo.index import find
from sentinelone_source.demo.records import NOTHING

if TYPE_CHECKING:
    from sentinelone_source.demo.world import World


class Event(NamedTuple):
    """What happened to which record."""

    what: str
    endpoint: Name
    id: str


_LATEST: Final = 40
_NEW: Final = "new"
_ROTATION: Final[tuple[tuple[str, Name, str], ...]] = (
    ("heartbeat", "agents", "seen"),
    ("threat", "threats", _NEW),
    ("alert", "alerts", _NEW),
    ("late activity", "activities", _NEW),
    ("mitigation", "threats", "mitigated"),
    ("group change", "groups", "regrouped"),
    ("verdict", "alerts", "judged"),
    ("heartbeat", "agents", "seen"),
    ("new agent", "agents", _NEW),
    ("late threat", "threats", _NEW),
    ("leaving", "agents", "decommissioned"),
    ("new group", "groups", _NEW),
    ("deletion", "threats", "deleted"),
)


class Activity:
    """Makes things happen in a world, one after another."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ticks = 0

    def tick(self) -> list[Event]:
        """One or two activities, and the next event; twelve ticks hold a bit of everything."""
        with self._world.lock:
            number, self._ticks = self._ticks, self._ticks + 1
            if not self._world.ids("agents"):
                half_an_hour = timedelta(minutes=30)
                self._world.populate(over=half_an_hour, agents=6, groups=4, threats=2, alerts=2)
            plain: tuple[str, Name, str] = ("activity", "activities", _NEW)
            events = [plain] * (1 + number % 2) + [_ROTATION[number % len(_ROTATION)]]
            return [self._event(*event) for event in events]

    def _event(self, title: str, endpoint: Name, what: str) -> Event:
        world, rng = self._world, self._world.records.rng
        if what == _NEW:
            late = timedelta(seconds=rng.uniform(2, 9)) if title.startswith("late") else NOTHING
            record = world.create(endpoint, late=late)
            return Event(title, endpoint, str(find(record, ENDPOINTS[endpoint].id)))
        ids = world.ids(endpoint)
        if what == "deleted":
            world.delete(endpoint, ids[0])
            return Event(title, endpoint, ids[0])
        identifier = self._agent_in_service(ids) if endpoint == "agents" else ""
        identifier = identifier or rng.choice(ids[-_LATEST:])
        world.update(endpoint, what, identifier)
        return Event(title, endpoint, identifier)

    def _agent_in_service(self, ids: list[str]) -> str:
        """Made when there is none."""
        world = self._world
        for identifier in world.records.rng.sample(ids, min(len(ids), _LATEST)):
            if not world.get("agents", identifier)["isDecommissioned"]:
                return identifier
        return str(world.create("agents")["id"])
