"""A page of records on its way to becoming lines, and the account of what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from sentinelone_source.mapping.compile import CompiledMapping
    from sentinelone_source.mapping.spec.model import ConsoleId

Known = Callable[[list[str], list[int]], Container[str]]
"""From keys and their positions: those whose rows were handed over before."""


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
        cursor: where the next page begins; None after the last one.
        errors: what the console says went wrong with it.
        compiled: what the records are for.
        console: that they come from.
        raws: the same records as JSON, once somebody needed them.
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
    keys: list[str] = []
    positions: list[int] = []
    without_line: list[int] = []
    suppressed: int = 0
    dropped: int = 0
    dead: list[Dead] = []
    misfits: Counter[str] = msgspec.field(default_factory=Counter)
    cut: Counter[str] = msgspec.field(default_factory=Counter)
