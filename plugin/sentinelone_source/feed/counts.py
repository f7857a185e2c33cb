"""What became of a feed's records, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass
class Counts:
    """Every record ends in exactly one of the first seven.

    Attributes:
        rows: handed over.
        suppressed: known, because they had been handed over before.
        dead: put among the dead letters.
        dropped: taken out by a `[[drop]]`.
        noted: older than the feed's start, or than what is remembered of it; remembered from now
            on, so that a change of them is seen.
        unasked: older than what was asked for: the console ignores its filter.
        postponed: refused by the shipper, for now; they are read again.
        late: of the rows, those that became visible after their position had been passed.
        pages: pages read.
        bytes: of the rows, as lines.
        misfits: by column, values that did not fit.
        cut: by column, values cut for their length.
    """

    rows: int = 0
    suppressed: int = 0
    dead: int = 0
    dropped: int = 0
    noted: int = 0
    unasked: int = 0
    postponed: int = 0
    late: int = 0
    pages: int = 0
    bytes: int = 0
    misfits: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Add another account to this one."""
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, item.name, mine + theirs)

    def copy(self) -> Counts:
        """This account as it is now."""
        account = Counts()
        account.add(self)
        return account

    def since(self, before: Counts) -> Counts:
        """What has been added to this account since it was copied."""
        return Counts(
            **{
                item.name: getattr(self, item.name) - getattr(before, item.name)
                for item in fields(self)
            }
        )

    def summary(self) -> dict[str, object]:
        """The counts that are not zero, for a log line."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            name: dict(value) if isinstance(value, Counter) else value
            for name, value in found.items()
            if value or name in ("rows", "suppressed")
        }
