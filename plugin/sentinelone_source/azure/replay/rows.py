"""What a line of a file is: a row, a dead letter to be mapped again, or neither."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.errors import SourceError
from sentinelone_source.mapping.columns import Misfit, to_micros
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.offline import pages
from sentinelone_source.times import SECOND

if TYPE_CHECKING:
    from sentinelone_source.mapping.model import Mapping

OLDEST = timedelta(days=2)
NEWEST = timedelta(days=1)
"""How far behind and ahead of its clock Azure leaves a `TimeGenerated` as it is."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class Item:
    """A line, and what became of it.

    Attributes:
        line: as it was read.
        table: whose row it is; empty if that is unknown.
        row: the row as JSON, without `_table`; None if there is none.
        reason: why there is none; empty for a record that the mapping drops.
    """

    line: bytes
    table: str = ""
    row: bytes | None = None
    reason: str = ""


class Reader:
    """Makes rows of lines, with the mappings as they are now.

    Attributes:
        streams: by table.
        displaced: rows whose `TimeGenerated` Azure would replace by the time of arrival.
    """

    def __init__(self, mappings: dict[str, Mapping]) -> None:
        self._mappings = {mapping.table: mapping for mapping in mappings.values()}
        self._mappers: dict[str, Mapper] = {}
        self.streams = {mapping.table: mapping.stream for mapping in mappings.values()}
        self.displaced = 0

    def read(self, line: bytes) -> Item:
        """What a line is."""
        try:
            line.decode()
            item = self._read(line, _members(line))
        except _UNREADABLE:
            return Item(line, reason="the line is not a JSON object")
        if item.row is not None:
            self.displaced += _is_displaced(item.row)
        return item

    def _read(self, line: bytes, members: dict[str, msgspec.Raw]) -> Item:
        if "_table" in members:
            table = _name(members.pop("_table"))
            row = msgspec.json.encode(members)
            return self._known(line, table) or Item(line, table, row)
        if "record" in members and "table" in members:
            table = _name(members["table"])
            return self._known(line, table) or self._map(line, table, members["record"])
        if "row" in members:
            item = self._read(line, _members(members["row"]))
            return Item(line, item.table, item.row, item.reason)
        return Item(line, reason="neither a row (no _table) nor a dead letter (no record)")

    def _known(self, line: bytes, table: str) -> Item | None:
        if table in self._mappings:
            return None
        return Item(line, reason=f"no mapping fills the table {table!r}")

    def _map(self, line: bytes, table: str, record: msgspec.Raw) -> Item:
        """Map a dead letter's record; one that no reader goes through was kept as text."""
        raw = bytes(record)
        if raw.startswith(b'"'):
            raw = _text(raw).encode("utf-8", "replace")
        if table not in self._mappers:
            self._mappers[table] = Mapper(self._mappings[table])
        mapper = self._mappers[table]
        try:
            made, reason = _rows(mapper, raw)
        except SourceError:
            return Item(line, table, reason="the record is not JSON")
        if not made:
            return Item(line, table, reason=reason)
        members = _members(made)
        members.pop("_table")
        return Item(line, table, msgspec.json.encode(members))


def _rows(mapper: Mapper, record: bytes) -> tuple[bytes, str]:
    """The line that a record makes, and else why it makes none."""
    line, reason = b"", ""
    for body in pages(mapper.mapping, record, "record"):
        page = mapper.open(body)
        line += b"".join(piece for batch in mapper.lines(page) for piece in batch.pieces)
        reason = reason or next((dead.reason for dead in page.dead), "")
    return line, reason


def _name(raw: msgspec.Raw) -> str:
    return _text(raw) if bytes(raw).startswith(b'"') else ""


def is_json(line: bytes) -> bool:
    """Whether a line is a whole JSON object."""
    try:
        _members(line)
    except _UNREADABLE:
        return False
    return True


def _is_displaced(row: bytes) -> bool:
    try:
        moment = to_micros(_text(_members(row)["TimeGenerated"]))
    except (KeyError, Misfit, *_UNREADABLE):
        return False
    age = timedelta(microseconds=time.time() * SECOND - moment)
    return age > OLDEST or -age > NEWEST


def refused_line(item: Item, reason: str, now: Any) -> bytes:
    """A line for the file of refused rows, which `Reader` reads as well.

    A dead letter stays one, with its new reason; a row becomes `{"time", "table", "reason",
    "row"}`, anything else `{"time", "reason", "line"}`.
    """
    try:
        members: dict[str, Any] = dict(_members(item.line))
    except _UNREADABLE:
        members = {}
    if not members.keys() & {"record", "row"} or "_table" in members:
        whole: dict[str, Any] = {"row": msgspec.Raw(item.line.strip())} if members else {}
        kept = whole or {"line": item.line.decode("utf-8", "replace").rstrip("\r\n")}
        members = {"table": item.table, **kept}
    return msgspec.json.encode({"time": now} | members | {"time": now, "reason": reason}) + b"\n"
