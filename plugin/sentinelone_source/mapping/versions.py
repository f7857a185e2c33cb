"""Several versions of the same records, compared: what changes, and what a heartbeat saves."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from sentinelone_source.mapping.heartbeat import Content, LastRow
from sentinelone_source.times import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sentinelone_source.mapping.mapper import Mapper
    from sentinelone_source.mapping.page import Page

Members = dict[str, msgspec.Raw]
_DAY = 86_400 * SECOND
_members = msgspec.json.Decoder(Members).decode


class Savings(msgspec.Struct, frozen=True):
    """What a heartbeat saves of some rows."""

    rows: int = 0
    bytes: int = 0
    saved_rows: int = 0
    saved_bytes: int = 0


class Versions:
    """Rows of the same id, compared.

    Attributes:
        rows: all of them.
        changed: by column, rows in which it differs from the row before of the same id.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.changed: Counter[str] = Counter()
        self._contents: dict[str, Content] = {}
        self._last: dict[str, bytes] = {}

    def look(self, mapper: Mapper, page: Page) -> Iterator[Iterable[str]]:
        """Make a page's rows; gives the columns that each has."""
        contents: list[Content] = []
        lines: list[bytes] = []
        for stride in mapper.strides(page):
            contents.extend(map(Content, *stride.contents()))
            for piece in stride.lines():
                lines += piece.data.split(b"\n")[:-1]
        self.rows += len(lines)
        found = zip(page.keys, contents, strict=True)
        with_line = (one for n, one in enumerate(found) if n not in page.without_line)
        for (key, content), line in zip(with_line, lines, strict=True):
            members = _members(line)
            if key not in self._contents:
                self._contents[key] = content
                self._compare(_members(self._last.get(content.id, line)), members)
                self._last[content.id] = line
            yield members.keys()

    def _compare(self, before: Members, after: Members) -> None:
        names = before.keys() | after.keys()
        self.changed.update(name for name in names if before.get(name) != after.get(name))

    def savings(self) -> Savings | None:
        """What a heartbeat saves of these rows; None if no id has more than one version."""
        several = len(self._contents) > len(self._last)
        return _savings(self._contents.values(), _DAY) if several else None


def _savings(rows: Iterable[Content], heartbeat: int) -> Savings:
    """Find out what is not handed over with a heartbeat of so many microseconds."""
    last: dict[str, LastRow] = {}
    sizes, saved = [], []
    for row in sorted(rows, key=lambda row: row.position):
        sizes.append(row.size)
        if row.id in last and last[row.id].is_repeated_by(row, heartbeat):
            saved.append(row.size)
        else:
            last[row.id] = LastRow(row.position, row.digest)
    return Savings(len(sizes), sum(sizes), len(saved), sum(saved))
