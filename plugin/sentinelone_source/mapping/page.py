"""A page of records on its way to becoming lines, and the account of what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from sentinelone_source.mapping.compile import CompiledMapping
from sentinelone_source.mapping.heartbeat import Contents, Digests
from sentinelone_source.mapping.rows.lines import Piece, encode
from sentinelone_source.mapping.spec.model import ConsoleId

_SLICE = 32_768
"""Bytes of a page whose rows are encoded at once: below that, no column can be too long."""


class Dead(NamedTuple):
    """A record that cannot become a row, and why; `id` is empty if it has none."""

    reason: str
    raw: bytes
    id: str


class Page(msgspec.Struct):
    """A decoded page. The counts fill up as its rows are made.

    Attributes:
        body: the page as JSON.
        records: typed records, None where one is not as expected; new ones only, once it is known
            which these are.
        cursor: where the next page begins; None after the last one, empty if there is a next one
            and the console does not say where.
        errors: what the console says went wrong with it.
        compiled: what the records are for.
        console: that they come from.
        raws: the same records as JSON, once somebody needed them.
        record_size: bytes of a record, on average.
        taken: keys of the rows that are not left out.
        keys: of the rows made, what makes each unique: id, and version where there is one.
        positions: of the same rows, microseconds since 1970.
        without_line: places among these of rows that are too long for a line, or that repeat the
            last one of their id.
        suppressed: rows not made, because they were handed over before, or come twice in the page.
        dropped: records that a `[[drop]]` took out.
        dead: records that cannot become rows.
        misfits: by column, values that the column's type does not take.
        cut: by column, values cut for their length.
    """

    body: bytes
    records: list[Any]
    cursor: str | None
    errors: list[str]
    compiled: CompiledMapping
    console: ConsoleId
    raws: list[Any] | None = None
    record_size: int = 0
    taken: set[str] = set()
    keys: list[str] = []
    positions: list[int] = []
    without_line: list[int] = []
    suppressed: int = 0
    dropped: int = 0
    dead: list[Dead] = []
    misfits: Counter[str] = msgspec.field(default_factory=Counter)
    cut: Counter[str] = msgspec.field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.record_size = 1 + len(self.body) // max(1, len(self.records))

    @property
    def keys_only(self) -> bool:
        """Whether its records have what makes a row unique, and nothing else."""
        return self.compiled.keys_only


class Stride:
    """The rows of some records of a page, on their way to becoming lines.

    Attributes:
        rows: of the table's type.
        keys: of the rows, what makes each unique.
        positions: of the rows.
        places: of their records in the page.
        too_long: places of records whose rows are too long for a line.
    """

    def __init__(self, page: Page, digests: Digests, places: Sequence[int]) -> None:
        self.rows: list[Any] = []
        self.keys: list[str] = []
        self.positions: list[int] = []
        self.places = places
        self.too_long: list[int] = []
        self._page, self._digests = page, digests
        self._at_once = _SLICE // page.record_size

    def keep(self, numbers: list[int]) -> None:
        """Keep these rows only."""
        self.rows = [self.rows[n] for n in numbers]
        self.keys = [self.keys[n] for n in numbers]
        self.positions = [self.positions[n] for n in numbers]
        self.places = [self.places[n] for n in numbers]

    def leave_out(self, known: Container[str]) -> None:
        """Leave out rows with these keys, and those that the page has had before."""
        taken, fresh = self._page.taken, []
        for number, key in enumerate(self.keys):
            if key not in known and key not in taken:
                taken.add(key)
                fresh.append(number)
        if len(fresh) < len(self.keys):
            self._page.suppressed += len(self.keys) - len(fresh)
            self.keep(fresh)

    def contents(self) -> Contents:
        """What each row says."""
        return self._digests.contents(self.rows, self.keys, self.positions)

    def lines(self, changed: Sequence[int] | None = None) -> Iterator[Piece]:
        """Make lines of all rows, or of those that have changed."""
        page, too_long = self._page, list[int]()
        first, rows = len(page.keys), self.rows
        taken: Sequence[int] = range(len(rows))
        page.keys += self.keys
        page.positions += self.positions
        if changed is not None:
            page.without_line += [first + number for number in set(taken).difference(changed)]
            rows, taken = [rows[number] for number in changed], changed
        yield from encode(rows, self._at_once, page.cut, too_long)
        page.without_line += [first + taken[n] for n in too_long]
        self.too_long = [self.places[taken[n]] for n in too_long]
