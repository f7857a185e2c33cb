"""The hand-over of one page: which of its records become rows, and what becomes of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator

import msgspec

from sentinelone_source.feed.progress import ENDLESS
from sentinelone_source.feed.reading import Reading
from sentinelone_source.feed.repeats import Repeats
from sentinelone_source.feed.state.schema import RowKeys
from sentinelone_source.handover.batches import pack
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Page


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


class PageRun:
    """A page that is being handed over.

    Args:
        known: from keys and their positions, the keys of rows that were handed over before.
        repeats: finds rows that repeat the last row of their id.

    Attributes:
        walked: the positions of the page's records.
    """

    def __init__(
        self,
        page: Page,
        reading: Reading,
        known: Callable[[list[str], list[int]], set[str]],
        repeats: Repeats,
    ) -> None:
        self.walked: list[int] = []
        self._page = page
        self._reading = reading
        self._handed_over = known
        self._repeats = repeats
        self._baseline: dict[str, int] = {}
        self._unasked: set[str] = set()
        self._delivered: list[int] = []
        self._postponed: set[int] = set()
        self._orphans: set[int] = set()
        self._failed: set[int] = set()
        self._counts = Counts(fetched=len(page.records), pages=1)

    def batches(self, mapper: Mapper) -> Iterator[list[bytes]]:
        """Make the lines of new rows, in batches; free the page's records after the last one."""
        changed = self._repeats.changed if self._repeats.heartbeat else None
        for batch in pack(mapper.lines(self._page, self._known, changed)):
            self._repeats.begin_hand_over()
            self._counts.rows += batch.rows
            self._counts.bytes += batch.size
            yield batch.pieces
        self._page.body, self._page.records, self._page.raws = b"", [], None

    def _known(self, keys: list[str], positions: list[int]) -> Container[str]:
        walked = positions
        if "" in keys:
            walked = [at for key, at in zip(keys, positions, strict=True) if key]
        self.walked += walked
        found = self._handed_over(keys, positions)
        reading = self._reading
        first, end = reading.wanted_from, reading.until or ENDLESS
        if not walked or (first <= min(walked) and max(walked) < end):
            return found
        outside = {
            key: at
            for key, at in zip(keys, positions, strict=True)
            if key and key not in found and not first <= at < end
        }
        baseline = {key: at for key, at in outside.items() if reading.asked_from <= at < end}
        self._baseline |= baseline
        self._unasked |= outside.keys() - baseline.keys()
        return found | outside.keys()

    def postpone(self, postponed: list[int], refused: list[int]) -> None:
        """Take out rows that were not delivered, so that they are not remembered as handed over.

        Args:
            postponed: places of the lines that the shipper refuses for now; they are read again.
            refused: places of the lines that became dead letters. Rows of this page that repeat
                one of them are read again, too.
        """
        page = self._page
        without_line = set(page.without_line)
        places = [n for n in range(len(page.keys)) if n not in without_line]
        self._postponed = {places[line] for line in postponed}
        self._failed = self._postponed.union(places[line] for line in refused)
        self._delivered = [page.positions[n] for n in places if n not in self._failed]
        self._orphans = self._repeats.orphans(self._failed)
        if back := self._postponed | self._orphans:
            self._reading.hold(min(page.positions[n] for n in back))
            page.keys = [key for n, key in enumerate(page.keys) if n not in back]
            page.positions = [at for n, at in enumerate(page.positions) if n not in back]

    def counts(self, new_dead: int, refused: int) -> Counts:
        """What became of the page's records.

        Args:
            new_dead: how many records became new dead letters.
            refused: how many rows the shipper refused for good; they are dead letters, too.
        """
        page = self._page
        held_back = len(self._baseline) + len(self._unasked)
        unchanged, saved = self._repeats.total(self._orphans)
        self._counts.add(
            Counts(
                rows=-refused - len(self._postponed),
                unchanged=unchanged,
                unchanged_bytes=saved,
                suppressed=page.suppressed - held_back + len(page.dead) - new_dead,
                dead=new_dead + refused,
                dropped=page.dropped,
                baseline=len(self._baseline),
                unasked=len(self._unasked),
                postponed=len(self._postponed | self._orphans),
                late=Counter(filter(None, map(self._reading.late, self._delivered))),
                misfits=page.misfits,
                cut=page.cut,
            )
        )
        return self._counts

    def rows(self) -> RowKeys:
        """What is to be remembered: rows, and the baseline."""
        return RowKeys(
            [*self._page.keys, *self._baseline],
            [*self._page.positions, *self._baseline.values()],
            self._repeats.to_remember(self._failed),
        )
