"""A living tenant: what its console shows, and what happens in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from threading import RLock
from typing import Any, Final, NamedTuple

import msgspec

from sentinelone_source.demo.endpoints import ENDPOINTS, NAMES, Name, find
from sentinelone_source.demo.golden import vocabulary
from sentinelone_source.demo.records import NOTHING, Record, Records

TICK: Final = 0.5
"""Seconds between two things that happen on the demo console."""
_HOUR: Final = timedelta(hours=1)
_LATEST: Final = 40


class Item(NamedTuple):
    """A record as it goes out, and the values it is sorted and filtered by."""

    id: str
    encoded: bytes
    values: Mapping[str, Any]


class DemoWorld:
    """A tenant in which things happen, also while consoles serve it; safe for many threads."""

    def __init__(
        self, seed: int = 0, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.now = now
        self.records = Records(seed)
        self.lock = RLock()
        self._items: dict[Name, dict[str, Item]] = {name: {} for name in NAMES}
        self._accounts = {site["id"]: site["account_id"] for site in self.records.tenant.sites}
        self._ticks = 0

    def create(self, endpoint: Name, *, late: timedelta = NOTHING) -> Record:
        """Shows a new record, whose position is so far in the past."""
        with self.lock:
            at = coarsened(self.now() - late, self.records.rng)
            record = self.records.new(endpoint, at)
            self.put(endpoint, record)
            return record

    def update(self, endpoint: Name, what: str, identifier: str) -> Record:
        """Shows the next version of a record. Raises KeyError."""
        with self.lock:
            old = self.get(endpoint, identifier)
            now = coarsened(self.now(), self.records.rng)
            record = self.records.updated(endpoint, what, old, now)
            self.put(endpoint, record)
            return record

    def get(self, endpoint: Name, identifier: str) -> Record:
        """A copy of a record as it is now. Raises KeyError."""
        with self.lock:
            return msgspec.json.decode(self._items[endpoint][identifier].encoded, type=Record)

    def ids(self, endpoint: Name) -> list[str]:
        """The ids of all records, hidden ones included, in order of their last change."""
        return [item.id for item in self.items(endpoint)]

    def items(self, endpoint: Name) -> list[Item]:
        """All records, hidden ones included, in order of their last change."""
        with self.lock:
            return list(self._items[endpoint].values())

    def delete(self, endpoint: Name, identifier: str) -> None:
        """Shows a record no longer. Raises KeyError when there is none."""
        with self.lock:
            del self._items[endpoint][identifier]

    def put(self, endpoint: Name, record: Mapping[str, Any], encoded: bytes | None = None) -> None:
        """Shows a record from now on, in place of one with the same id; encoded unless it is."""
        values = ENDPOINTS[endpoint].values(record)
        if endpoint == "groups":
            # a group's record names only its site, but the account is a filter, too
            values["accountId"] = self._accounts.get(values["siteId"])
        identifier = str(find(record, ENDPOINTS[endpoint].id))
        with self.lock:
            self._items[endpoint].pop(identifier, None)
            item = Item(identifier, encoded or msgspec.json.encode(record), values)
            self._items[endpoint][identifier] = item

    def tick(self) -> list[str]:
        """One or two activities, and the next event of the rotation; gives what happened."""
        with self.lock:
            number, self._ticks = self._ticks, self._ticks + 1
            rotation: list[tuple[str, Name, str]] = vocabulary()["rotation"]
            plain: tuple[str, Name, str] = ("activity", "activities", "new")
            events = [plain] * (1 + number % 2) + [rotation[number % len(rotation)]]
            for event in events:
                self._happen(*event)
            return [title for title, _, _ in events]

    def _happen(self, title: str, endpoint: Name, what: str) -> None:
        if what == "new":
            is_late, rng = title.startswith("late"), self.records.rng
            self.create(endpoint, late=timedelta(seconds=rng.uniform(2, 9)) if is_late else NOTHING)
        elif what == "deleted":
            self.delete(endpoint, self.ids(endpoint)[0])
        else:
            self.update(endpoint, what, self._target(endpoint))

    def _target(self, endpoint: Name) -> str:
        """One of the latest records; an agent that is in service, made when there is none."""
        ids, rng = self.ids(endpoint), self.records.rng
        if endpoint != "agents":
            return rng.choice(ids[-_LATEST:])
        for identifier in rng.sample(ids, min(len(ids), _LATEST)):
            if not self.get("agents", identifier)["isDecommissioned"]:
                return identifier
        return str(self.create("agents")["id"])


def coarsened(at: datetime, rng: Random) -> datetime:
    """Mostly the same time; now and then cut to milliseconds or to the second."""
    roll = rng.random()
    if roll < 0.03:
        return at.replace(microsecond=0)
    if roll < 0.1:
        return at.replace(microsecond=at.microsecond // 1000 * 1000)
    return at


def new_world(seed: int) -> DemoWorld:
    """A small tenant with an hour of history."""
    world = DemoWorld(seed)
    history: dict[Name, int] = vocabulary()["history"]  # references come first
    for name, count in history.items():
        for number in range(count):
            world.create(name, late=_HOUR * (1 - (number + world.records.rng.random()) / count))
    return world
