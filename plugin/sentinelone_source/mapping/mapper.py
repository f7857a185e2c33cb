"""One table's mapper: a page of the API in, rows out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from sentinelone_source.errors import Skippable
from sentinelone_source.mapping.decoder import build_decoders
from sentinelone_source.mapping.envelope import Envelope, Malformed
from sentinelone_source.mapping.glue import write_glue
from sentinelone_source.mapping.interpreter import Interpreter
from sentinelone_source.mapping.lines import Batch, batches, row_type
from sentinelone_source.mapping.model import Mapping
from sentinelone_source.mapping.trie import build_trie
from sentinelone_source.mapping.values import UNUSUAL, mend_surrogates

_CURSOR = ("pagination", "nextCursor")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?')
_SNIFFED = 4096


class Entry(NamedTuple):
    """A record that became a row.

    Attributes:
        key: what makes the row unique: the record's id, and its version where it has one.
        position: of the record in the feed's order, microseconds since 1970.
        row: the columns, not yet encoded.
        index: the record's place in the page.
    """

    key: str
    position: int
    row: msgspec.Struct
    index: int


class Dead(NamedTuple):
    """A record that cannot become a row, and why."""

    reason: str
    raw: bytes


@dataclass
class Page:
    """A page of records, mapped.

    Attributes:
        records: how many the page held.
        cursor: where the next page begins; None after the last one.
        entries: the rows, in the order of the page.
        dead: what could not become a row.
        dropped: how many a `[[drop]]` took out.
        misfits: by column, values that the column's type does not take.
        cut: by column, values cut for their length; counted when the lines are made.
    """

    body: bytes
    records: int
    cursor: str | None
    raws: list[Any] | None = None
    entries: list[Entry] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    dropped: int = 0
    misfits: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)


class Mapper:
    """Carries out a mapping on pages, as fast as typed decoders allow.

    Attributes:
        mapping: what is carried out.
        code: the generated row function, as text.
    """

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        root = build_trie(mapping)
        decoders = build_decoders(root)
        row = row_type(mapping)
        glue = write_glue(mapping, root, decoders, row)
        self.code = glue.code
        self._build = glue.compile()
        self._wants_raw = bool(root.uses)
        self._interpreter = Interpreter(mapping, row)
        self._decode = msgspec.json.Decoder(decoders.record).decode
        records = mapping.request.records.members
        self._typed = Envelope(records, _CURSOR, decoders.record)
        self._split = Envelope(records, _CURSOR, msgspec.Raw)

    def read(self, body: bytes) -> Page:
        """Make rows of a page.

        Raises:
            Malformed: the body is not JSON, or holds no list of records.
        """
        body = _compact(body)
        records, page = self._open(body)
        for index, record in enumerate(records):
            if not (record and self._add(page, index, record)):
                self._interpret(page, index)
        return page

    def lines(self, page: Page, entries: Sequence[Entry]) -> Iterator[Batch]:
        """Encode entries of a page; one too long for a line is added to the page's dead."""
        too_long: list[int] = []
        yield from batches((entry.row for entry in entries), page.cut, too_long)
        for place in too_long:
            raw = bytes(self._raws(page)[entries[place].index])
            page.dead.append(Dead("the row is too long for a line", raw))

    def _add(self, page: Page, index: int, record: Any) -> bool:
        """Run the generated code; False leaves the record to the interpreter."""
        try:
            raw = page.raws[index] if page.raws else None
            id_, version, position, row = self._build(record, raw)
        except UNUSUAL:
            return False
        if row is None:
            page.dropped += 1
        elif id_:
            key = f"{id_}@{version}" if version else id_
            page.entries.append(Entry(key, position, row, index))
        return row is None or bool(id_)

    def _open(self, body: bytes) -> tuple[list[Any], Page]:
        """The page's typed records; those that are not as expected are None."""
        try:
            if not self._wants_raw:
                records, cursor = self._typed.open(body)
                return records, Page(body, len(records), cursor)
        except (msgspec.MsgspecError, RecursionError):
            pass
        raws, cursor = self._open_raw(body)
        return [self._decode_or_none(raw) for raw in raws], Page(body, len(raws), cursor, raws)

    def _open_raw(self, body: bytes) -> tuple[list[Any], str | None]:
        try:
            return self._split.open(body)
        except msgspec.ValidationError as error:
            raise Malformed(str(error)) from None
        except msgspec.DecodeError as error:
            mended = mend_surrogates(body)
            if mended == body:
                raise Malformed(str(error)) from None
            return self._open_raw(mended)
        except RecursionError:
            return self._split.open_deep(body)

    def _decode_or_none(self, raw: Any) -> Any:
        try:
            return self._decode(raw)
        except (msgspec.MsgspecError, RecursionError):
            return None

    def _raws(self, page: Page) -> list[Any]:
        if page.raws is None:
            page.raws = self._open_raw(page.body)[0]
        return page.raws

    def _interpret(self, page: Page, index: int) -> None:
        raw = self._raws(page)[index]
        try:
            done = self._interpreter.interpret(raw, page.misfits)
        except Skippable as reason:
            page.dead.append(Dead(str(reason), bytes(raw)))
            return
        if done.row is None:
            page.dropped += 1
            return
        key = f"{done.id}@{done.version}" if done.version else done.id
        page.entries.append(Entry(key, done.position, done.row, index))


def _compact(body: bytes) -> bytes:
    """Take white space out of a page that has any; the head tells how a page is written.

    A line break anywhere counts: copied into a row, it would tear the line in two.
    """
    if b"\n" not in body and b"\r" not in body:
        head = _STRING.sub(b"", body[:_SNIFFED])
        if b" " not in head and b"\t" not in head:
            return body
    try:
        return msgspec.json.format(body, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return body
