"""What the API lets a client sort and filter by, endpoint for endpoint."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

Name = Literal["activities", "agents", "alerts", "groups", "threats"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)
BASE: Final = "/web/api/v2.1/"


class Endpoint(msgspec.Struct, dict=True, forbid_unknown_fields=True):
    """One list endpoint. Values of the dictionaries are dotted paths into a record.

    Attributes:
        booleans: filters that name a member of the record.
        hidden: those whose records are shown to nobody who does not filter by them.
        flags: parameters that are known, and change no selection.
    """

    name: Name
    path: str
    id: str
    newest_first: bool
    sorts: dict[str, str]
    times: dict[str, str]
    lists: dict[str, str]
    comparisons: tuple[str, ...] = ("lt", "gt", "lte", "gte")
    booleans: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def view(self) -> str:
        """How a cursor names the endpoint's id column."""
        return f"{self.name.capitalize()}View.id"

    @cached_property
    def time_paths(self) -> frozenset[str]:
        """The paths whose values are times."""
        sortable = (p for p in self.sorts.values() if p.endswith(("At", "Date")))
        return frozenset((*self.times.values(), *sortable))

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every path that can be sorted or filtered by."""
        tables = (self.sorts, self.times, self.lists)
        return frozenset((*self.booleans, *(path for table in tables for path in table.values())))


_ALL: Final = msgspec.json.decode(
    Path(__file__).with_name("endpoints.json").read_bytes(), type=list[Endpoint]
)
ENDPOINTS: Final[dict[Name, Endpoint]] = {endpoint.name: endpoint for endpoint in _ALL}
BY_PATH: Final[dict[str, Endpoint]] = {endpoint.path: endpoint for endpoint in _ALL}
