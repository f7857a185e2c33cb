"""A tenant in which things happen when a test says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from sentinelone_source.demo.endpoints import NAMES, Name
from sentinelone_source.demo.records import NOTHING, Record
from sentinelone_source.demo.world import DemoWorld, coarsened

__all__ = ["NAMES", "Name", "World"]

_YEAR: Final = timedelta(days=365)
_DAY: Final = timedelta(days=1)
_ORDER: Final[tuple[Name, ...]] = ("groups", "agents", "threats", "alerts", "activities")
"""So that records find what they refer to."""


class World(DemoWorld):
    """A tenant whose clock can jump, and that shows records of a test's own.

    Without an id a change picks a record. `late` on a creation gives the record a position that
    far in the past although it becomes visible only now. Everything returns the record made.
    """

    def __init__(
        self, seed: int = 0, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._off = timedelta()
        super().__init__(seed, lambda: now() + self._off)

    def jump(self, by: timedelta) -> None:
        """Moves the tenant's clock, forward or back."""
        self._off += by

    def tick(self) -> list[str]:
        """Lets the next thing happen, in an empty tenant too; gives what happened."""
        with self.lock:
            if not self.ids("agents"):
                half_an_hour = timedelta(minutes=30)
                self.populate(over=half_an_hour, agents=6, groups=4, threats=2, alerts=2)
            return super().tick()

    def populate(self, *, over: timedelta = _DAY, **counts: int) -> None:
        """Makes history: that many records by endpoint, positions spread over the time before now.

        Of 50 agents two are decommissioned and one is uninstalled; of three threats one has been
        mitigated.
        """
        rng, start = self.records.rng, self.now() - over
        with self.lock:
            for name in _ORDER:
                for number in range(count := counts.pop(name, 0)):
                    at = coarsened(start + over * ((number + rng.random()) / count), rng)
                    self.put(name, self._old(name, number, at))
        if counts:
            raise TypeError(f"no such endpoint: {', '.join(counts)}")

    def _old(self, endpoint: Name, number: int, at: datetime) -> Record:
        records = self.records
        record = records.new(endpoint, at, age=_YEAR * records.rng.random())
        what = ""
        if endpoint == "threats" and number % 3 == 0:
            what = "mitigated"
            at = min(at + timedelta(seconds=records.rng.uniform(1, 200)), self.now())
        elif endpoint == "agents" and number % 25 == 7:
            what = "decommissioned"
        elif endpoint == "agents" and number % 50 == 11:
            what = "uninstalled"
        return records.updated(endpoint, what, record, at) if what else record

    def new_activity(self, kind: int | None = None, *, late: timedelta = NOTHING) -> Record:
        """Something was done or happened; `kind` is its activityType."""
        with self.lock:
            at = coarsened(self.now() - late, self.records.rng)
            record = self.records.new("activities", at, kind=kind)
            self.put("activities", record)
            return record

    def new_threat(self, *, late: timedelta = NOTHING) -> Record:
        """An agent has found something."""
        return self.create("threats", late=late)

    def new_alert(self, *, late: timedelta = NOTHING) -> Record:
        """A custom rule has matched."""
        return self.create("alerts", late=late)

    def change(self, endpoint: Name, what: str, identifier: str | None) -> Record:
        """Shows the next version of a record, of any when none is named. Raises KeyError."""
        with self.lock:
            ids = self.ids(endpoint)
            if not ids:
                raise KeyError(f"no {endpoint} yet")
            return self.update(endpoint, what, identifier or self.records.rng.choice(ids))

    def mitigate_threat(self, identifier: str | None = None) -> Record:
        """A threat gets a mitigation report and a new `threatInfo.updatedAt`."""
        return self.change("threats", "mitigated", identifier)

    def change_verdict(self, identifier: str | None = None) -> Record:
        """An alert gets another verdict and a new `alertInfo.updatedAt`; `reportedAt` stays."""
        return self.change("alerts", "judged", identifier)

    def update_agent(self, identifier: str | None = None) -> Record:
        """An agent gets news and a new `updatedAt`."""
        return self.change("agents", "seen", identifier)

    def decommission_agent(self, identifier: str | None = None) -> Record:
        """An agent is taken out of service: shown only to those who ask for such."""
        return self.change("agents", "decommissioned", identifier)

    def update_group(self, identifier: str | None = None) -> Record:
        """A group gets another number of agents and a new `updatedAt`."""
        return self.change("groups", "regrouped", identifier)

    def get(self, endpoint: Name, identifier: str) -> dict[str, Any]:
        """A copy of a record as it is now. Raises KeyError."""
        with self.lock:
            record: dict[str, Any] = json.loads(self._items[endpoint][identifier].encoded)
            return record

    def all(self, endpoint: Name) -> list[dict[str, Any]]:
        """Copies of all records, in order of their last change."""
        with self.lock:
            return [self.get(endpoint, identifier) for identifier in self.ids(endpoint)]

    def count(self, endpoint: Name) -> int:
        """How many records there are, hidden ones included."""
        return len(self.ids(endpoint))

    def insert(self, endpoint: Name, record: Mapping[str, Any] | bytes) -> str:
        """Shows a record (or its raw JSON) from now on, in place of one with the same id."""
        raw = record if isinstance(record, bytes) else _encoded(record)
        with self.lock:
            self.put(endpoint, json.loads(raw), raw)
            return self.ids(endpoint)[-1]

    def replace(self, endpoint: Name, record: Mapping[str, Any] | bytes) -> None:
        """Shows another version of a record. Raises KeyError when there is none."""
        with self.lock:
            before = self.count(endpoint)
            identifier = self.insert(endpoint, record)
            if self.count(endpoint) != before:
                self.delete(endpoint, identifier)
                raise KeyError(identifier)


def _encoded(record: Mapping[str, Any]) -> bytes:
    """Compact JSON, non-ASCII raw; lone surrogates can only be written as escapes."""
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:
        return json.dumps(record, separators=(",", ":")).encode()
