"""The records of one endpoint, kept encoded, in every order that they are asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from sentinelone_source.times import parse_moment

if TYPE_CHECKING:
    from sentinelone_source.demo.endpoints import Endpoint

Values = Mapping[str, Any]
Key = tuple[Any, int, str]
_NUMBERS: Final = frozenset(("activityType", "rank"))
_BULK: Final = 500


class Item(NamedTuple):
    """A record as it goes out, and the values it is sorted and filtered by."""

    id: str
    encoded: bytes
    values: Values


class Selection(NamedTuple):
    """Which items, in which order. `low` and `high` are inclusive bounds of the sort column."""

    sort: str
    descending: bool
    low: int | None
    high: int | None
    after: Key | None
    matches: tuple[Callable[[Values], bool], ...]


def find(record: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None."""
    value: Any = record
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def sort_key(endpoint: Endpoint, value: Any, identifier: str, path: str) -> Key:
    """Where a value stands in the order of a path; ties are broken by the id, read as a number."""
    if path == endpoint.id:
        value = 0
    elif path in _NUMBERS:
        value = value if isinstance(value, int | float) else -1
    elif path not in endpoint.time_paths:
        value = "" if value is None else str(value)
    return value, len(identifier), identifier


class Index:
    """Items of one endpoint. An order is made when it is first asked for, then kept."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._items: dict[str, Item] = {}
        self._orders: dict[str, list[Key]] = {}

    def get(self, identifier: str) -> Item:
        """Raises KeyError."""
        return self._items[identifier]

    def ids(self) -> list[str]:
        """In order of insertion."""
        return list(self._items)

    def item(self, record: Mapping[str, Any], encoded: bytes | None = None) -> Item:
        """The record made ready; encoded here unless it comes so."""
        endpoint = self.endpoint
        values = {path: find(record, path) for path in endpoint.paths}
        for path in endpoint.time_paths:
            values[path] = _time(values[path])
        identifier = str(find(record, endpoint.id))
        return Item(identifier, encoded or msgspec.json.encode(record), values)

    def put(self, items: Iterable[Item]) -> None:
        """Adds items or replaces those of the same id."""
        new = list(items)
        if len(new) >= _BULK:
            self._orders.clear()
        for item in new:
            self.remove(item.id)
            self._items[item.id] = item
            for path, order in self._orders.items():
                insort(order, self._key(item, path))

    def remove(self, identifier: str) -> bool:
        """False when there is no such item."""
        item = self._items.pop(identifier, None)
        if item is None:
            return False
        for path, order in self._orders.items():
            del order[bisect_left(order, self._key(item, path))]
        return True

    def select(self, selection: Selection) -> Iterator[tuple[Item, Key]]:
        """The selected items and where they stand; the index must not change meanwhile."""
        order, (first, last) = self._order(selection.sort), self._bounds(selection)
        way = range(last - 1, first - 1, -1) if selection.descending else range(first, last)
        for position in way:
            key = order[position]
            item = self._items[key[2]]
            if all(match(item.values) for match in selection.matches):
                yield item, key

    def count(self, selection: Selection, stop: int) -> int:
        """How many there are, up to `stop`."""
        if not selection.matches:
            first, last = self._bounds(selection)
            return min(max(last - first, 0), stop)
        return sum(1 for _, _ in zip(range(stop), self.select(selection), strict=False))

    def _key(self, item: Item, path: str) -> Key:
        return sort_key(self.endpoint, item.values[path], item.id, path)

    def _order(self, path: str) -> list[Key]:
        if path not in self._orders:
            self._orders[path] = sorted(self._key(item, path) for item in self._items.values())
        return self._orders[path]

    def _bounds(self, selection: Selection) -> tuple[int, int]:
        order, after = self._order(selection.sort), selection.after
        first = 0 if selection.low is None else bisect_left(order, (selection.low,))
        last = len(order) if selection.high is None else bisect_left(order, (selection.high + 1,))
        if after is not None and selection.descending:
            last = min(last, bisect_left(order, after))
        elif after is not None:
            first = max(first, bisect_right(order, after))
        return first, last


def _time(value: Any) -> int:
    try:
        return parse_moment(value) if isinstance(value, str) else -1
    except ValueError:
        return -1
