"""What the API lets a client sort and filter by, endpoint for endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from sentinelone_source.times import parse_moment

Name = Literal["activities", "agents", "alerts", "groups", "threats"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)
BASE: Final = "/web/api/v2.1/"
Place = tuple[Any, int, str]
"""Where a record stands in an order; ties are broken by the id, read as a number."""
NO_TIME: Final = -1
_NUMBERS: Final = frozenset(("activityType", "rank"))


class InvalidQuery(Exception):
    """The console refuses a query; the message is the answer's."""


class Endpoint(msgspec.Struct, dict=True, forbid_unknown_fields=True):
    """One list endpoint. Values of the dictionaries are dotted paths into a record.

    Records of `hidden` lists are shown to those who ask for `true`; `flags` change no selection.
    """

    name: Name
    path: str
    id: str
    newest_first: bool
    sorts: dict[str, str]
    times: dict[str, str]
    lists: dict[str, str]
    hidden: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @cached_property
    def time_paths(self) -> frozenset[str]:
        """The paths whose values are times."""
        sortable = (p for p in self.sorts.values() if p.endswith(("At", "Date")))
        return frozenset((*self.times.values(), *sortable))

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every path that can be sorted or filtered by."""
        tables = (self.sorts, self.times, self.lists)
        return frozenset(path for table in tables for path in table.values())

    def values(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What a record is sorted and filtered by; times are moments."""
        found = {path: find(record, path) for path in self.paths}
        for path in self.time_paths:
            value, found[path] = found[path], NO_TIME
            with suppress(ValueError):
                found[path] = parse_moment(value if isinstance(value, str) else "")
        return found

    def filtered(self, values: Mapping[str, Any], path: str) -> Any:
        """What a filter compares of these values: a moment, or text in lower case."""
        return values[path] if path in self.time_paths else str(values[path]).lower()

    def place(self, path: str, value: Any, identifier: str) -> Place:
        """Where a record with this value and id stands in the order of a path."""
        if path == self.id:
            value = 0
        elif path in _NUMBERS:
            value = value if isinstance(value, int | float) else -1
        elif path not in self.time_paths:
            value = "" if value is None else str(value)
        return value, len(identifier), identifier


def find(record: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None."""
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


_ALL: Final = msgspec.json.decode(
    Path(__file__).with_name("endpoints.json").read_bytes(), type=list[Endpoint]
)
ENDPOINTS: Final[dict[Name, Endpoint]] = {endpoint.name: endpoint for endpoint in _ALL}
BY_PATH: Final[dict[str, Endpoint]] = {endpoint.path: endpoint for endpoint in _ALL}
