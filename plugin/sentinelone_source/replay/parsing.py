"""What a file holds: some whole lines at a time, and each is a row, a dead letter, or neither."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import BinaryIO, NamedTuple

import msgspec
import structlog

from sentinelone_source.errors import Skippable, SourceError
from sentinelone_source.handover.dead_letters import DeadLetter
from sentinelone_source.mapping.interpreter import decode_record
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page_reader import NotAPage
from sentinelone_source.mapping.record_files import page_of
from sentinelone_source.mapping.rows.convert import DoesNotFit, to_micros
from sentinelone_source.mapping.spec.files import HEALTH
from sentinelone_source.mapping.spec.model import ConsoleId, Mapping
from sentinelone_source.times import SECOND

CHUNK = 1_000_000
"""Bytes of lines that are read before they are sent, with one request a table."""
LONGEST = 1 << 26
"""Bytes of a line: more than the console sends in a page."""
OLDEST = timedelta(days=2)
NEWEST = timedelta(days=1)
"""How far behind and ahead of its clock Azure leaves a `TimeGenerated` as it is."""

_log = structlog.get_logger()
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Chunk(NamedTuple):
    """Some lines, and the offset after the last of them."""

    lines: list[bytes]
    end: int


def read_chunks(file: BinaryIO, name: str, start: int) -> Iterator[Chunk]:
    """Read on from an offset; a line that is still being written is left for the next time.

    Raises SourceError for a line that no NDJSON has.
    """
    lines: list[bytes] = []
    end = begun = start
    while line := file.readline(LONGEST + 1):
        if len(line) > LONGEST:
            raise SourceError(f"{name}: byte {end}: a line of more than {LONGEST >> 20} MiB")
        if not line.endswith(b"\n") and not _is_json(line):
            _log.warning("incomplete_line", file=name, offset=end)
            break
        if lines and end + len(line) - begun > CHUNK:
            yield Chunk(lines, end)
            lines, begun = [], end
        if line.strip():
            lines.append(line)
        end += len(line)
    if end > begun:
        yield Chunk(lines, end)


@dataclass(frozen=True)
class ParsedLine:
    """A line, and what became of it.

    Attributes:
        letter: what is kept of the line if it cannot be delivered.
        table: whose row it is; empty if that is unknown.
        row: the row as JSON, without `_table`; None if there is none.
        reason: why there is none; empty for a record that the mapping drops.
    """

    letter: DeadLetter
    table: str = ""
    row: bytes | None = None
    reason: str = ""


class LineParser:
    """Makes rows of lines, with the mappings as they are now; `urls` are those of the consoles.

    `displaced` counts rows whose `TimeGenerated` Azure would replace by the time of arrival.
    """

    def __init__(self, mappings: dict[str, Mapping], urls: Dict[str, str]) -> None:
        self._urls = urls
        self._mappings = {mapping.table: mapping for mapping in mappings.values()}
        self._mappers: dict[str, Mapper] = {}
        self.displaced = 0

    def parse(self, line: bytes) -> ParsedLine:
        """What a line is."""
        try:
            text = line.decode().strip()
            letter = _letter(text)
        except _UNREADABLE:
            text = line.decode("utf-8", "replace").strip()
            return ParsedLine(DeadLetter(line=text), reason="the line is not a JSON object")
        if letter.line and letter.line != text:
            return replace(self.parse(letter.line.encode()), letter=letter)
        parsed = self._row_of(letter)
        if parsed.row is not None:
            self.displaced += _is_displaced(parsed.row)
        return parsed

    def _row_of(self, letter: DeadLetter) -> ParsedLine:
        if letter.line:
            return ParsedLine(letter, reason="neither a row (no _table) nor a dead letter")
        is_health = letter.table == HEALTH.table and bytes(letter.row)
        if letter.table not in self._mappings and not is_health:
            return ParsedLine(letter, reason=f"no mapping fills the table {letter.table!r}")
        parsed = ParsedLine(letter, letter.table)
        if bytes(letter.row):
            return replace(parsed, row=_without_table(letter.row))
        try:
            return replace(parsed, row=self._map(letter))
        except Skippable as reason:
            return replace(parsed, reason=str(reason))

    def _map(self, letter: DeadLetter) -> bytes | None:
        """Map a dead letter's record; None if the mapping drops it. Raises Skippable."""
        record = bytes(letter.record)
        if record.startswith(b'"'):  # a record that is not JSON was kept as text
            record = _text(record).encode("utf-8", "replace")
        if letter.table not in self._mappers:
            self._mappers[letter.table] = Mapper(self._mappings[letter.table])
        mapper = self._mappers[letter.table]
        with contextlib.suppress(RecursionError):  # nested too deep: the mapper reports it
            decode_record(record)
        try:
            console = ConsoleId(letter.console or None, self._urls.get(letter.console))
            page = mapper.open(page_of(mapper.mapping, [record]), console)
        except NotAPage as error:
            raise Skippable(f"not JSON: {error}") from None
        line = b"".join(piece.data for piece in mapper.lines(page))
        if page.dead:
            raise Skippable(page.dead[0].reason)
        return _without_table(line) if line else None


def _letter(text: str) -> DeadLetter:
    """A line as a dead letter: a row as one with `row`, anything unknown as one with `line`."""
    line = text.encode()
    members = _members(line)
    if "_table" in members:
        table = members["_table"]
        name = _text(table) if bytes(table).startswith(b'"') else ""
        return DeadLetter(table=name, row=msgspec.Raw(line))
    return DeadLetter.parse(line) or DeadLetter(line=text)


def _without_table(row: bytes | msgspec.Raw) -> bytes:
    members = _members(row)
    members.pop("_table", None)
    return msgspec.json.encode(members)


def _is_json(line: bytes) -> bool:
    try:
        _members(line)
    except _UNREADABLE:
        return False
    return True


def _is_displaced(row: bytes) -> bool:
    try:
        moment = to_micros(_text(_members(row)["TimeGenerated"]))
    except (KeyError, DoesNotFit, *_UNREADABLE):
        return False
    age = timedelta(microseconds=time.time() * SECOND - moment)
    return age > OLDEST or -age > NEWEST
