"""A living tenant: what its console shows, and the means to make things happen."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinelone_source.demo.endpoints import ENDPOINTS, NAMES, Name
from sentinelone_source.demo.index import Index, Item, Key, Selection
from sentinelone_source.demo.records import NOTHING, Record, Records
from sentinelone_source.demo.timestamps import coarsened, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_YEAR: Final = timedelta(days=365)
_DAY: Final = timedelta(days=1)
_ORDER: Final[tuple[Name, ...]] = ("groups", "agents", "threats", "alerts", "activities")
"""So that records find what they refer to."""


class World:
    """A tenant in which things happen, also while consoles serve it; safe for many threads."""

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
        rng, start = self.records.rng, self.now() - over
        with self.lock:
            for name in _ORDER:
                made = []
                for number in range(count := counts.pop(name, 0)):
                    at = coarsened(start + over * ((number + rng.random()) / count), rng)
                    made.append(self._old(name, number, at))
                self.put(name, made)
        if counts:
            raise TypeError(f"no such endpoint: {', '.join(counts)}")

    def create(
        self, endpoint: Name, *, late: timedelta = NOTHING, kind: int | None = None
    ) -> Record:
        """Shows a new record. Its position is so far in the past although it is visible only now.

        `kind` is the type of an activity.
        """
        with self.lock:
            at = coarsened(self.now() - late, self.records.rng)
            record = self.records.new(endpoint, at, kind=kind)
            self.put(endpoint, [record])
            return record

    def update(self, endpoint: Name, what: str, identifier: str | None = None) -> Record:
        """Shows the next version of a record, of any when none is named. Raises KeyError."""
        with self.lock:
            ids = self.ids(endpoint)
            if not ids:
                raise KeyError(f"no {endpoint} yet")
            old = self.get(endpoint, identifier or self.records.rng.choice(ids))
            now = coarsened(self.now(), self.records.rng)
            record = self.records.updated(endpoint, what, old, now)
            self.put(endpoint, [record])
            return record

    def get(self, endpoint: Name, identifier: str) -> Record:
        """A copy of a record as it is now. Raises KeyError."""
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
            self._indexes[endpoint].get(identifier)
            self._indexes[endpoint].remove(identifier)

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
        if endpoint == "groups":
            # a group's record names its site only, yet can be asked for by account
            account = self._accounts.get(item.values["siteId"])
            item = item._replace(values={**item.values, "accountId": account})
        return item

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
