"""A console small enough to reason about: versions of records, and a clock that may be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(eq=False)
class Version:
    """One version of a record, as the console shows it from `since` until it is `gone`.

    Attributes:
        late: how long after its position it became visible, by the console's clock.
        lookback: late by so much, it is still to be handed over.
        retreats: how often a clock had gone back when that was so.
    """

    id: int
    number: int
    position: int
    since: int
    late: int
    lookback: int = 0
    retreats: int = 0
    gone: bool = False
    promised: bool = False

    @property
    def says(self) -> str:
        """What it says: a later version may say it again."""
        return "ab"[self.number // 3 % 2]

    @property
    def key(self) -> str:
        return f"{self.id}@{self.number}"

    @property
    def place(self) -> tuple[int, int]:
        return self.position, self.id


class ModelPage(NamedTuple):
    """Versions in ascending order of position, and where the next page begins, if there is one."""

    versions: list[Version]
    cursor: tuple[int, int] | None


class ModelConsole:
    """Shows the newest version of each record, through a stateless keyset cursor.

    Attributes:
        time: what really passes; never back.
        off: by how much the console's clock differs from that.
        events: how many things have happened so far; orders what `time` does not tell apart.
        dated: its answers have a `Date`.
        bounded: it heeds `until`.
        moves: an update gives a record a new position, as of threats; else it keeps its position.
    """

    def __init__(self, *, moves: bool) -> None:
        self.time = 10_000_000
        self.off = 0
        self.dated = self.bounded = True
        self.events = 0
        self.moves = moves
        self.shown: dict[int, Version] = {}
        self._versions = 0

    @property
    def clock(self) -> int:
        return self.time + self.off

    @property
    def tells(self) -> int | None:
        """The clock as its answers tell it."""
        return self.clock if self.dated else None

    def happens(self) -> int:
        """Count an event; gives its number."""
        self.events += 1
        return self.events

    def create(self, late: int) -> None:
        """A record becomes visible, `late` after the moment that its position tells."""
        self._show(len(self.shown) + self._versions, self.clock - late)

    def update(self, index: int, late: int) -> None:
        """A record gets another version."""
        if old := self._pick(index):
            old.gone = True
            self._show(old.id, self.clock - late if self.moves else old.position)

    def delete(self, index: int) -> None:
        """A record is shown no longer."""
        if old := self._pick(index):
            old.gone = True
            del self.shown[old.id]

    def page(
        self, start: int | None, until: int | None, cursor: tuple[int, int] | None, limit: int
    ) -> ModelPage:
        """The next versions from `start` to before `until`, after the cursor."""
        end = until if self.bounded else None
        found = sorted(
            (
                version
                for version in self.shown.values()
                if (start is None or version.position >= start)
                and (end is None or version.position < end)
                and (cursor is None or version.place > cursor)
            ),
            key=lambda version: version.place,
        )
        more = len(found) > limit
        return ModelPage(found[:limit], found[limit - 1].place if more else None)

    def _pick(self, index: int) -> Version | None:
        return list(self.shown.values())[index % len(self.shown)] if self.shown else None

    def _show(self, identifier: int, position: int) -> None:
        self._versions += 1
        late = self.clock - position
        self.shown[identifier] = Version(identifier, self._versions, position, self.happens(), late)
