"""A tenant in which things happen when a test says so."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.demo.activity import Activity, Event
from sentinelone_source.demo.endpoints import NAMES, Name
from sentinelone_source.demo.records import NOTHING, Record
from sentinelone_source.demo.timestamps import utc_now
from sentinelone_source.demo.world import World as DemoWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

__all__ = ["NAMES", "Name", "World"]


class World(DemoWorld):
    """A tenant whose clock can jump, and that shows records of a test's own.

    Without an id a change picks a record. `late` on a creation gives the record a position that
    far in the past although it becomes visible only now. Everything returns the record made.
    """

    def __init__(self, seed: int = 0, now: Callable[[], datetime] = utc_now) -> None:
        self._off = timedelta()
        super().__init__(seed, lambda: now() + self._off)
        self._activity = Activity(self)

    def jump(self, by: timedelta) -> None:
        """Moves the tenant's clock, forward or back."""
        self._off += by

    def tick(self) -> list[Event]:
        """Lets the next thing happen."""
        return self._activity.tick()

    def new_activity(self, kind: int | None = None, *, late: timedelta = NOTHING) -> Record:
        """Something was done or happened; `kind` is its activityType."""
        return self.create("activities", late=late, kind=kind)

    def new_threat(self, *, late: timedelta = NOTHING) -> Record:
        """An agent has found something."""
        return self.create("threats", late=late)

    def new_alert(self, *, late: timedelta = NOTHING) -> Record:
        """A custom rule has matched."""
        return self.create("alerts", late=late)

    def new_agent(self, *, late: timedelta = NOTHING) -> Record:
        """A machine has registered."""
        return self.create("agents", late=late)

    def new_group(self, *, late: timedelta = NOTHING) -> Record:
        """Someone has made a group."""
        return self.create("groups", late=late)

    def mitigate_threat(self, identifier: str | None = None) -> Record:
        """A threat gets a mitigation report and a new `threatInfo.updatedAt`."""
        return self.update("threats", "mitigated", identifier)

    def change_verdict(self, identifier: str | None = None) -> Record:
        """An alert gets another verdict and a new `alertInfo.updatedAt`; `reportedAt` stays."""
        return self.update("alerts", "judged", identifier)

    def update_agent(self, identifier: str | None = None) -> Record:
        """An agent gets news and a new `updatedAt`."""
        return self.update("agents", "seen", identifier)

    def decommission_agent(self, identifier: str | None = None) -> Record:
        """An agent is taken out of service: shown only to those who ask for such."""
        return self.update("agents", "decommissioned", identifier)

    def update_group(self, identifier: str | None = None) -> Record:
        """A group gets another number of agents and a new `updatedAt`."""
        return self.update("groups", "regrouped", identifier)

    def get(self, endpoint: Name, identifier: str) -> dict[str, Any]:
        """A copy of a record as it is now. Raises KeyError."""
        with self.lock:
            record: dict[str, Any] = json.loads(self._indexes[endpoint].get(identifier).encoded)
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
            item = self._item(endpoint, json.loads(raw), raw)
            self._indexes[endpoint].put([item])
            return item.id

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
