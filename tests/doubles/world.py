"""A tenant in which things happen when a test says so."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.demo.activity import Activity, Event
from sentinelone_source.demo.endpoints import NAMES, Name
from sentinelone_source.demo.timestamps import utc_now
from sentinelone_source.demo.world import World as DemoWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

__all__ = ["NAMES", "Name", "World"]


class World(DemoWorld):
    """A tenant whose clock can jump, and that shows records of a test's own."""

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
