"""Numbers of records, rows and values of a feed."""

from __future__ import annotations

from collections import Counter

import msgspec


class Counts(msgspec.Struct):
    """Numbers of records, rows and values. Each record counts once in `rows` to `postponed`.

    Attributes:
        fetched: records that were read.
        rows: rows that were handed over.
        suppressed: records that were handed over before.
        unchanged: rows that differ from the last row of their id only in volatile columns.
        dead: new dead letters.
        dropped: records that a `[[drop]]` removed.
        baseline: records older than the feed's start, or than what the state remembers. They are
            remembered now, so that a later change of them is found.
        unasked: records outside of what was asked for, because the console ignores its filter.
        postponed: rows that the shipper refuses for now; they are read again.
        bytes, unchanged_bytes: of the rows, as lines.
        late: rows that became visible after their position had been passed, by the age in seconds
            at which they were found.
        misfits, cut: values that do not fit their column, and that were cut, by column.
    """

    fetched: int = 0
    rows: int = 0
    suppressed: int = 0
    unchanged: int = 0
    dead: int = 0
    dropped: int = 0
    baseline: int = 0
    unasked: int = 0
    postponed: int = 0
    pages: int = 0
    bytes: int = 0
    unchanged_bytes: int = 0
    late: Counter[str] = msgspec.field(default_factory=Counter)
    misfits: Counter[str] = msgspec.field(default_factory=Counter)
    cut: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Add other counts to these."""
        for name in _NAMES:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, name, mine + theirs)

    def copy(self) -> Counts:
        """These counts as they are now."""
        copied = Counts()
        copied.add(self)
        return copied

    def since(self, before: Counts) -> Counts:
        """What has been added since `before` was copied from these counts."""
        return Counts(**{name: getattr(self, name) - getattr(before, name) for name in _NAMES})

    def summary(self) -> dict[str, object]:
        """The counts that are not zero, and `rows` and `suppressed`, for a log line."""
        found = {name: getattr(self, name) for name in _NAMES}
        return {
            name: dict(value) if isinstance(value, Counter) else value
            for name, value in found.items()
            if value or name in ("rows", "suppressed")
        }


_NAMES = Counts.__struct_fields__
