"""A living tenant: what its console shows, and the means to make things happen."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinelone_source.demo import updates
from sentinelone_source.demo.endpoints import ENDPOINTS, NAMES, Name
from sentinelone_source.demo.index import Index, Item, Key, Selection
from sentinelone_source.demo.records import NOTHING, Record, Records
from sentinelone_source.demo.timestamps import coarsened, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sentinelone_source.demo.updates import Update

_YEAR: Final = timedelta(days=365)
_DAY: Final = timedelta(days=1)


class World:
    """A tenant in which things happen, also while consoles serve it; safe for many threads.

    Without an id a change picks a record. `late` on a creation gives the record a position that
    far in the past although it becomes visible only now. Everything returns the record made, a
    copy.
    """

    def __init__(self, seed: int = 0, now: Callable[[], datetime] = utc_now) -> None:
        self.now = now
        self.records = Records(seed)
        self.lock = RLock()
        self._indexes: dict[Name, Index] = {name: Index(ENDPOINTS[name]) for name in NAMES}
        self._accounts = {site["id"]: site["account_id"] for site in self.records.tenant.sites}

    def populate(self, *, over: timedelta = _DAY, **counts: int) -> None:
        """Makes history: that many records by endpoint, positions spread over the time before now.

        Of 50 agents two are decommissioned and one is uninstalled; of three threats one has been
        mitigated.
        """
        make: dict[Name, Callable[[int, datetime], Record]] = {
            "groups": lambda _, at: self.records.group(at, self._age()),
            "agents": self._old_agent,
            "threats": self._old_threat,
            "alerts": lambda _, at: self.records.alert(at),
            "activities": lambda _, at: self.records.activity(at),
        }
        with self.lock:
            for name, one in make.items():
                times = self._spread(counts.pop(name, 0), over)
                self.put(name, [one(number, at) for number, at in enumerate(times)])
        if counts:
            raise TypeError(f"no such endpoint: {', '.join(counts)}")

    def new_activity(self, kind: int | None = None, *, late: timedelta = NOTHING) -> Record:
        """Something was done or happened; `kind` is its activityType."""
        return self._create("activities", lambda at: self.records.activity(at, kind), late)

    def new_threat(self, *, late: timedelta = NOTHING) -> Record:
        """An agent has found something."""
        return self._create("threats", self.records.threat, late)

    def new_alert(self, *, late: timedelta = NOTHING) -> Record:
        """A custom rule has matched."""
        return self._create("alerts", self.records.alert, late)

    def new_agent(self, *, late: timedelta = NOTHING) -> Record:
        """A machine has registered."""
        return self._create("agents", self.records.agent, late)

    def new_group(self, *, late: timedelta = NOTHING) -> Record:
        """Someone has made a group."""
        return self._create("groups", self.records.group, late)

    def mitigate_threat(self, identifier: str | None = None) -> Record:
        """A threat gets a mitigation report and a new `threatInfo.updatedAt`."""
        return self._update("threats", identifier, updates.mitigated)

    def change_verdict(self, identifier: str | None = None) -> Record:
        """An alert gets another verdict and a new `alertInfo.updatedAt`; `reportedAt` stays."""
        return self._update("alerts", identifier, updates.judged)

    def update_agent(self, identifier: str | None = None) -> Record:
        """An agent gets news and a new `updatedAt`."""
        return self._update("agents", identifier, updates.seen)

    def decommission_agent(self, identifier: str | None = None) -> Record:
        """An agent is taken out of service: shown only to those who ask for such."""
        return self._update("agents", identifier, updates.decommissioned)

    def update_group(self, identifier: str | None = None) -> Record:
        """A group gets another number of agents and a new `updatedAt`."""
        return self._update("groups", identifier, updates.regrouped)

    def get(self, endpoint: Name, identifier: str) -> Record:
        """A record as it is now. Raises KeyError."""
        with self.lock:
            encoded = self._indexes[endpoint].get(identifier).encoded
            return msgspec.json.decode(encoded, type=dict[str, Any])

    def ids(self, endpoint: Name) -> list[str]:
        """The ids of all records, hidden ones included, in order of their last change."""
        with self.lock:
            return self._indexes[endpoint].ids()

    def delete(self, endpoint: Name, identifier: str) -> None:
        """Shows a record no longer. Raises KeyError when there is none."""
        with self.lock:
            if not self._indexes[endpoint].remove(identifier):
                raise KeyError(identifier)

    def put(self, endpoint: Name, records: Iterable[Record]) -> None:
        """Shows records from now on, in place of those with the same ids."""
        with self.lock:
            self._indexes[endpoint].put([self._item(endpoint, record) for record in records])

    def page(
        self, endpoint: Name, selection: Selection, *, skip: int, limit: int
    ) -> list[tuple[Item, Key]]:
        """At most `limit` items after the first `skip`, and where they stand."""
        with self.lock:
            return list(islice(self._indexes[endpoint].select(selection), skip, skip + limit))

    def total(self, endpoint: Name, selection: Selection, stop: int) -> int:
        """How many items a selection has, up to `stop`."""
        with self.lock:
            return self._indexes[endpoint].count(selection, stop)

    def _item(self, endpoint: Name, record: Record, encoded: bytes | None = None) -> Item:
        item = self._indexes[endpoint].item(record, encoded)
        if endpoint != "groups":
            return item
        # a group's record names its site only, yet can be asked for by account
        account = self._accounts.get(item.values["siteId"])
        return item._replace(values={**item.values, "accountId": account})

    def _create(
        self, endpoint: Name, make: Callable[[datetime], Record], late: timedelta
    ) -> Record:
        with self.lock:
            record = make(coarsened(self.now() - late, self.records.rng))
            self.put(endpoint, [record])
            return record

    def _update(self, endpoint: Name, identifier: str | None, update: Update) -> Record:
        with self.lock:
            ids = self.ids(endpoint)
            if not ids:
                raise KeyError(f"no {endpoint} yet")
            old = self.get(endpoint, identifier or self.records.rng.choice(ids))
            record = update(self.records, old, coarsened(self.now(), self.records.rng))
            self.put(endpoint, [record])
            return record

    def _old_agent(self, number: int, at: datetime) -> Record:
        agent = self.records.agent(at, self._age())
        if number % 25 == 7:
            return updates.decommissioned(self.records, agent, at)
        return updates.uninstalled(self.records, agent, at) if number % 50 == 11 else agent

    def _old_threat(self, number: int, at: datetime) -> Record:
        threat = self.records.threat(at)
        if number % 3:
            return threat
        after = timedelta(seconds=self.records.rng.uniform(1, 200))
        return updates.mitigated(self.records, threat, min(at + after, self.now()))

    def _age(self) -> timedelta:
        return _YEAR * self.records.rng.random()

    def _spread(self, count: int, over: timedelta) -> Iterator[datetime]:
        rng, start = self.records.rng, self.now() - over
        for number in range(count):
            yield coarsened(start + over * ((number + rng.random()) / count), rng)
