"""A living tenant: what its console shows, and the means to make things happen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from . import changes, life
from .moments import coarsened
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .endpoints import Name
    from .records import Record

NOT_LATE: Final = timedelta()
_YEAR: Final = timedelta(days=365)


class Counts(TypedDict, total=False):
    """How many records of each endpoint."""

    activities: int
    agents: int
    alerts: int
    groups: int
    threats: int


class World(Store):
    """A tenant in which things happen, also while consoles serve it.

    Without an id a change picks a record. `late` on a creation gives the record a position that
    far in the past although it becomes visible only now. Everything returns the record made.
    """

    _ticks = 0

    def populate(self, *, over: timedelta = timedelta(days=1), **counts: Unpack[Counts]) -> None:
        """Makes history: that many records, their positions spread over the time before now.

        Of 50 agents two are decommissioned and one is uninstalled; of three threats one has been
        mitigated.
        """
        with self.lock:
            moments = {name: list(self._moments(n, over)) for name, n in _items(counts)}
            self._put("groups", [self._old_group(at) for at in moments.get("groups", [])])
            agents = enumerate(moments.get("agents", []))
            self._put("agents", [self._old_agent(index, at) for index, at in agents])
            threats = enumerate(moments.get("threats", []))
            self._put("threats", [self._old_threat(index, at) for index, at in threats])
            self._put("alerts", map(self.records.alert, moments.get("alerts", [])))
            self._put("activities", map(self.records.activity, moments.get("activities", [])))

    def new_activity(self, kind: int | None = None, *, late: timedelta = NOT_LATE) -> Record:
        """Something was done or happened; `kind` is its activityType."""
        with self.lock:
            return self._show("activities", self.records.activity(self._moment(late), kind))

    def new_threat(self, *, late: timedelta = NOT_LATE) -> Record:
        """An agent has found something."""
        with self.lock:
            return self._show("threats", self.records.threat(self._moment(late)))

    def new_alert(self, *, late: timedelta = NOT_LATE) -> Record:
        """A custom rule has matched."""
        with self.lock:
            return self._show("alerts", self.records.alert(self._moment(late)))

    def new_agent(self, *, late: timedelta = NOT_LATE) -> Record:
        """A machine has registered."""
        with self.lock:
            return self._show("agents", self.records.agent(self._moment(late)))

    def new_group(self, *, late: timedelta = NOT_LATE) -> Record:
        """Someone has made a group."""
        with self.lock:
            return self._show("groups", self.records.group(self._moment(late)))

    def mitigate_threat(self, identifier: str | None = None) -> Record:
        """A threat gets a mitigation report and a new `threatInfo.updatedAt`."""
        return self._change("threats", identifier, self._mitigated)

    def change_verdict(self, identifier: str | None = None) -> Record:
        """An alert gets another verdict and a new `alertInfo.updatedAt`; `reportedAt` stays."""
        return self._change("alerts", identifier, self._judged)

    def update_agent(self, identifier: str | None = None) -> Record:
        """An agent gets news and a new `updatedAt`."""
        return self._change("agents", identifier, self._seen)

    def decommission_agent(self, identifier: str | None = None) -> Record:
        """An agent is taken out of service: shown only to those who ask for such."""
        return self._change("agents", identifier, changes.decommissioned)

    def update_group(self, identifier: str | None = None) -> Record:
        """A group gets another number of agents and a new `updatedAt`."""
        return self._change("groups", identifier, self._regrouped)

    def tick(self) -> list[life.Event]:
        """A moment in the life of the tenant; twelve of them hold a bit of everything."""
        with self.lock:
            self._ticks += 1
            return life.step(self, self._ticks - 1)

    def _mitigated(self, threat: Record, now: datetime) -> Record:
        return changes.mitigated(threat, self.records.tenant, now)

    def _judged(self, alert: Record, now: datetime) -> Record:
        return changes.judged(alert, self.records.rng, now)

    def _seen(self, agent: Record, now: datetime) -> Record:
        return changes.seen(agent, self.records.rng, now)

    def _regrouped(self, group: Record, now: datetime) -> Record:
        return changes.regrouped(group, self.records.rng, now)

    def _old_group(self, at: datetime) -> Record:
        return self.records.group(at, self._age())

    def _old_agent(self, index: int, at: datetime) -> Record:
        agent = self.records.agent(at, self._age())
        if index % 25 == 7:
            return changes.decommissioned(agent, at)
        return changes.uninstalled(agent, at) if index % 50 == 11 else agent

    def _old_threat(self, index: int, at: datetime) -> Record:
        threat = self.records.threat(at)
        if index % 3:
            return threat
        seconds = self.records.rng.uniform(1, 200)
        return self._mitigated(threat, min(at + timedelta(seconds=seconds), self.now()))

    def _age(self) -> timedelta:
        return _YEAR * self.records.rng.random()

    def _moments(self, count: int, over: timedelta) -> Iterator[datetime]:
        rng, start = self.records.rng, self.now() - over
        for index in range(count):
            yield coarsened(start + over * ((index + rng.random()) / count), rng)

    def _moment(self, late: timedelta) -> datetime:
        return coarsened(self.now() - late, self.records.rng)

    def _show(self, endpoint: Name, record: Record) -> Record:
        self._put(endpoint, [record])
        return record

    def _change(
        self,
        endpoint: Name,
        identifier: str | None,
        change: Callable[[Record, datetime], Record],
    ) -> Record:
        with self.lock:
            identifier = identifier or self._pick(endpoint)
            record = change(self.get(endpoint, identifier), self._moment(NOT_LATE))
            return self._show(endpoint, record)

    def _pick(self, endpoint: Name) -> str:
        ids = self.ids(endpoint)
        if not ids:
            raise KeyError(f"no {endpoint} yet")
        return self.records.rng.choice(ids)


def _items(counts: Any) -> list[tuple[str, int]]:
    return list(counts.items())
