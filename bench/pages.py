"""Pages of every endpoint, of 1000 records each.

One page is generated; the others repeat it with ids, versions and positions of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sentinelone_source.demo.golden import text
from sentinelone_source.demo.records import Record, Records
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.mapping.spec.model import Mapping, Ordering

SEED = 20261122
RECORDS = 1000
"""Of a page."""
TABLES = ("agents", "threats", "activities", "alerts", "groups")

_BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
_STEP = timedelta(milliseconds=37)
"""Between two records."""
ORDERS: dict[str, Callable[[int], int]] = {
    "in order": lambda n: n,
    "at one position": lambda _: 0,
    "in no order": lambda n: n * 104_729 % 1_000_003,
}
"""Steps from the begin to the position of each record."""
_FIRST_ID = 1_900_000_000_000_000_000


@cache
def mappings() -> dict[str, Mapping]:
    """The built-in mappings by name."""
    return load_mappings()


@dataclass(frozen=True)
class PageTemplate:
    """A page of one table, without what is different on every page."""

    records: list[bytes]

    def page(self, number: int = 0, cursor: str | None = None, order: str = "in order") -> bytes:
        """The page of that number as the console writes it: no white space, the cursor last."""
        first = number * RECORDS
        return self.part(range(first, first + RECORDS), cursor, order)

    def part(self, numbers: range, cursor: str | None, order: str = "in order") -> bytes:
        """A page of the records with these numbers."""
        place = ORDERS[order]
        filled = self.filled(numbers, lambda n: text(_BEGIN + place(n) * _STEP))
        following = b"null" if cursor is None else b'"%b"' % cursor.encode()
        return b'{"data":[%b],"pagination":{"nextCursor":%b,"totalItems":0}}' % (filled, following)

    def filled(self, numbers: range, at: Callable[[int], str]) -> bytes:
        """The records with these numbers, each at its position, as members of a list."""
        return b",".join(
            self.records[n % RECORDS] % {b"id": record_id(n).encode(), b"at": at(n).encode()}
            for n in numbers
        )


def record_id(number: int) -> str:
    """The id of the record with this number."""
    return f"{_FIRST_ID + number}"


def first_from(moment: datetime) -> int:
    """The number of the first record that is not before a moment, of records in order."""
    return max(0, -((_BEGIN - moment) // _STEP))


@cache
def template(table: str) -> PageTemplate:
    """A table's page, the same in every run."""
    walk = mappings()[table].ordering
    made = Records(SEED)
    times = (_BEGIN + n * _STEP for n in range(RECORDS))
    return PageTemplate([_blank(made.new(table, at), walk) for at in times])


def _blank(record: Record, walk: Ordering) -> bytes:
    """A record as JSON, to be filled in by `%`."""
    marks = {"\ue000": b"%(id)b", "\ue001": b"%(at)b"}
    for path in filter(None, (walk.position, walk.version)):
        _put(record, path.members, "\ue001")
    _put(record, walk.id.members, "\ue000")
    data = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    data = data.replace(b"%", b"%%")
    for mark, blank in marks.items():
        data = data.replace(mark.encode(), blank)
    return data


def _put(record: Any, members: tuple[str, ...], value: str) -> None:
    for name in members[:-1]:
        record = record[name]
    record[members[-1]] = value
