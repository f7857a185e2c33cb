"""Several versions of the same records, compared: what changes, and what a heartbeat saves."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from sentinelone_source.mapping.heartbeat import LastRow, is_repeat
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Page
from sentinelone_source.times import SECOND

_HEARTBEAT = 86_400 * SECOND
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class ComparedRow(NamedTuple):
    """What a heartbeat needs to know of a row; its size is that of its line."""

    id: str
    position: int
    digest: bytes
    size: int = 0


class Savings(msgspec.Struct, frozen=True):
    """What a heartbeat of 24 hours saves of some rows."""

    rows: int = 0
    bytes: int = 0
    saved_rows: int = 0
    saved_bytes: int = 0

    def __str__(self) -> str:
        return (
            f'heartbeat = "24h" saves {self.saved_rows} of {self.rows} rows, '
            f"{self.saved_bytes} of {self.bytes} bytes ({self.saved_bytes / self.bytes:.1%})"
        )


class Versions:
    """Rows of some pages, compared.

    Attributes:
        rows: all of them.
        filled: by column, rows that have it.
        changed: by column, rows in which it differs from the row before of the same id.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.filled: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self._rows: dict[str, ComparedRow] = {}
        self._last: dict[str, bytes] = {}

    def look(self, mapper: Mapper, page: Page) -> None:
        """Make a page's rows, and compare them with those before."""
        contents: list[ComparedRow] = []
        lines: list[bytes] = []
        for stride in mapper.strides(page):
            contents.extend(map(ComparedRow, *stride.contents()))
            for piece in stride.lines():
                lines += piece.data.split(b"\n")[:-1]
        self.rows += len(lines)
        found = zip(page.keys, contents, strict=True)
        with_line = (one for n, one in enumerate(found) if n not in page.without_line)
        for (key, row), line in zip(with_line, lines, strict=True):
            members = _members(line)
            self.filled.update(members.keys())
            if key not in self._rows:
                self._rows[key] = row._replace(size=len(line) + 1)
                before = _members(self._last.get(row.id, line))
                names = before.keys() | members.keys()
                self.changed.update(n for n in names if before.get(n) != members.get(n))
                self._last[row.id] = line

    def savings(self) -> Savings | None:
        """What a heartbeat saves of these rows; None if no id has more than one version."""
        if len(self._rows) == len(self._last):
            return None
        last: dict[str, LastRow] = {}
        sizes, saved = [], []
        for row in sorted(self._rows.values(), key=lambda row: row.position):
            sizes.append(row.size)
            before = last.get(row.id)
            if before and is_repeat(row.position, row.digest, before, _HEARTBEAT):
                saved.append(row.size)
            else:
                last[row.id] = row.position, row.size, row.digest
        return Savings(len(sizes), sum(sizes), len(saved), sum(saved))
