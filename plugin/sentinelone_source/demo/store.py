"""What a tenant's console would show now."""

from __future__ import annotations

from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

from .endpoints import ENDPOINTS, NAMES, Name
from .moments import Clock, utc_now
from .records import Record, Records
from .shelf import Item, Key, Selection, Shelf, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime, timedelta


class Page(NamedTuple):
    """Consecutive items of a selection, where they end, and whether more follow."""

    items: list[Item]
    end: Key | None
    has_more: bool


class Store:
    """The records of a tenant by endpoint, its clock, and ways to put records of one's own.

    Safe to use from many threads. Records go in and come out as copies.
    """

    def __init__(self, seed: int = 0, now: Callable[[], datetime] = utc_now) -> None:
        self.now = Clock(now)
        self.records = Records(seed)
        self.lock = RLock()
        self._shelves: dict[Name, Shelf] = {name: Shelf(ENDPOINTS[name]) for name in NAMES}
        self._accounts = {site.id: site.account_id for site in self.records.tenant.sites}

    def get(self, endpoint: Name, identifier: str) -> Record:
        """A copy of a record as it is now. Raises KeyError."""
        with self.lock:
            return decode(self._shelves[endpoint].get(identifier).encoded)

    def all(self, endpoint: Name) -> list[Record]:
        """Copies of all records, in order of insertion."""
        with self.lock:
            return [decode(item.encoded) for item in self._shelves[endpoint]]

    def ids(self, endpoint: Name) -> list[str]:
        """The ids of all records, in order of insertion."""
        with self.lock:
            return self._shelves[endpoint].ids()

    def count(self, endpoint: Name) -> int:
        """How many records there are, hidden ones included."""
        with self.lock:
            return len(self._shelves[endpoint])

    def page(self, endpoint: Name, selection: Selection, *, skip: int, limit: int) -> Page:
        """At most `limit` items after the first `skip`."""
        with self.lock:
            shelf = self._shelves[endpoint]
            found = shelf.select(selection)
            items = list(islice(found, skip, skip + limit))
            end = shelf.key(items[-1], selection.sort) if items else None
            return Page(items, end, next(found, None) is not None)

    def total(self, endpoint: Name, selection: Selection, stop: int) -> int:
        """How many items a selection has, up to `stop`."""
        with self.lock:
            return self._shelves[endpoint].count(selection, stop)

    def sort_key(self, endpoint: Name, value: Any, identifier: str, path: str) -> Key:
        """Where a value and an id stand in the order of a path."""
        return self._shelves[endpoint].key_of(value, identifier, path)

    def insert(self, endpoint: Name, record: Mapping[str, Any] | bytes) -> str:
        """Shows a record (or its raw JSON) from now on, in place of one with the same id."""
        with self.lock:
            item = self._item(endpoint, record)
            self._shelves[endpoint].put([item])
            return item.id

    def replace(self, endpoint: Name, record: Mapping[str, Any] | bytes) -> None:
        """Shows another version of a record. Raises KeyError when there is none."""
        with self.lock:
            item = self._item(endpoint, record)
            self._shelves[endpoint].get(item.id)
            self._shelves[endpoint].put([item])

    def delete(self, endpoint: Name, identifier: str) -> None:
        """Shows a record no longer. Raises KeyError when there is none."""
        with self.lock:
            if not self._shelves[endpoint].remove(identifier):
                raise KeyError(identifier)

    def jump(self, by: timedelta) -> None:
        """Moves the tenant's clock."""
        self.now.jump(by)

    def _put(self, endpoint: Name, records: Iterable[Mapping[str, Any]]) -> None:
        with self.lock:
            self._shelves[endpoint].put([self._item(endpoint, record) for record in records])

    def _item(self, endpoint: Name, record: Mapping[str, Any] | bytes) -> Item:
        item = self._shelves[endpoint].item(record)
        if endpoint != "groups":
            return item
        # a group's record names its site only, yet can be asked for by account
        account = self._accounts.get(item.values["siteId"])
        return item._replace(values={**item.values, "accountId": account})
