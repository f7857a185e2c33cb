"""The Data Collection Endpoint as a function from call to answer, and the rows that arrive there.

Rows are kept as Azure would keep them; what it would lose in silence is counted.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from sentinelone_source.demo.dce.errors import refused
from sentinelone_source.demo.dce.identity import TokenIssuer
from sentinelone_source.demo.http_server import NO_CONTENT, Answer, Call
from sentinelone_source.mapping.spec.files import load_tables
from sentinelone_source.times import parse_time

MAX_WIRE: Final = 1_048_576
"""Bytes of a body on the wire."""
MAX_PLAIN: Final = 50 * 1024 * 1024
"""Bytes of a body once decompressed."""
MAX_VALUE: Final = 65_536
"""Bytes of a column's value."""
OLDEST: Final = timedelta(days=2)
NEWEST: Final = timedelta(days=1)
_PATH: Final = re.compile(r"/dataCollectionRules/([^/]+)/streams/([^/]+)", re.IGNORECASE)
_TIME: Final = "TimeGenerated"
_KINDS: Final = (
    "single_objects",
    "elements_not_objects",
    "undeclared_columns",
    "truncated_values",
    "values_of_another_type",
    "times_replaced",
)


class Stream(NamedTuple):
    """A stream declaration and the table its rows go to; columns by name, with their types."""

    name: str
    table: str
    columns: Mapping[str, str]


def built_in_streams(
    folder: Path | None = None, columns: dict[str, Any] | None = None, where: str = ""
) -> list[Stream]:
    """One stream for each table; takes and raises what `load_mappings` takes and raises."""
    return [
        Stream(
            table.stream,
            table.table,
            {column.name: column.kind.in_stream for column in table.columns},
        )
        for table in load_tables(folder, columns, where)
    ]


class Losses(dict[str, Counter[str]]):
    """What 204 hides, by kind: counts by stream, by table, or by `table.column`.

    What Azure does with values of another type is not known.
    """

    def __init__(self) -> None:
        super().__init__((kind, Counter()) for kind in _KINDS)


class Received:
    """Rows by table, as JSON, in order of arrival; safe to use from many threads."""

    def __init__(self, streams: Iterable[Stream], file: BinaryIO | None = None) -> None:
        self.streams = {stream.name: stream for stream in streams}
        self.lines: dict[str, list[bytes]] = {one.table: [] for one in self.streams.values()}
        self.losses = Losses()
        self._file = file
        self._lock = Lock()

    def add(self, table: str, lines: list[bytes], losses: Losses) -> None:
        """Keeps what one request brought."""
        with self._lock:
            for kind, counts in losses.items():
                self.losses[kind].update(counts)
            self.lines[table].extend(lines)
            if self._file is not None:
                self._file.write(b"".join(_with_table(table, line) for line in lines))
                self._file.flush()

    def counts(self) -> dict[str, int]:
        """Rows by table, of the tables that have any."""
        with self._lock:
            return {table: len(lines) for table, lines in self.lines.items() if lines}

    def total(self) -> int:
        """Rows of all tables."""
        return sum(self.counts().values())


def route(call: Call) -> tuple[str, str] | None:
    """The rule's id and the stream that rows are sent to; None for any other call."""
    found = _PATH.fullmatch(call.path) if call.method == "POST" else None
    return (found[1], found[2]) if found else None


def ingest(issuer: TokenIssuer, received: Received, call: Call) -> Answer:
    """What the service would answer; rows are kept when it is 204. Raises RequestRefused."""
    _check_sender(issuer, call)
    dcr_id, name = route(call) or ("", "")
    if dcr_id != issuer.behaviour.dcr_id:
        text = f"Data collection rule with immutable Id '{dcr_id}' not found."
        raise refused(404, "NotFound", text)
    if name not in received.streams:
        text = f"The stream {name!r} is not declared in the data collection rule."
        raise refused(404, "NotFound", text)
    stream, losses = received.streams[name], Losses()
    rows = _rows(unpacked(call), stream, losses)
    keep_times = issuer.behaviour.keep_times
    lines = [fitted(row, stream, losses, keep_times=keep_times) for row in rows]
    received.add(stream.table, lines, losses)
    return NO_CONTENT


def _check_sender(issuer: TokenIssuer, call: Call) -> None:
    if len(call.body) > MAX_WIRE:
        text = f"Maximum allowed content length: {MAX_WIRE} bytes (1 MB)."
        text = f"{text} Provided content length: {len(call.body)} bytes."
        raise refused(413, "ContentLengthLimitExceeded", text)
    audiences = {issuer.behaviour.audience.rstrip("/")}
    if reason := issuer.refusal(call.headers.get("authorization", ""), audiences):
        raise refused(401, "AuthenticationFailed", reason, ("WWW-Authenticate", "Bearer"))
    if not call.query.get("api-version"):
        text = "The api-version query parameter is missing."
        raise refused(400, "MissingApiVersionParameter", text)


def unpacked(call: Call) -> bytes:
    """The body of a call, decompressed. Raises RequestRefused."""
    body, encoding = call.body, call.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        text = f"Content-Encoding {encoding!r} is not supported."
        raise refused(400, "InvalidContent", text)
    if encoding == "gzip":
        try:
            body = gzip.GzipFile(fileobj=BytesIO(body)).read(MAX_PLAIN + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise refused(400, "InvalidContent", f"not gzip: {error}.") from None
    if len(body) > MAX_PLAIN:
        text = f"The decompressed payload is longer than {MAX_PLAIN} bytes."
        raise refused(413, "PayloadSizeLimitExceeded", text)
    return body


def _rows(body: bytes, stream: Stream, losses: Losses) -> list[dict[str, Any]]:
    try:
        document = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise refused(400, "InvalidJson", "The request body is not valid JSON.") from None
    if not isinstance(document, list):
        losses["single_objects"][stream.name] += 1
        return []
    rows = [element for element in document if isinstance(element, dict)]
    if others := len(document) - len(rows):
        losses["elements_not_objects"][stream.name] += others
    return rows


def _with_table(table: str, line: bytes) -> bytes:
    """A row as a line of NDJSON that names its table."""
    comma = b"," if len(line) > 2 else b""
    return b'{"_table":%b%b%b\n' % (msgspec.json.encode(table), comma, line[1:])


def fitted(row: dict[str, Any], stream: Stream, losses: Losses, *, keep_times: bool) -> bytes:
    """The row as the table would show it, as JSON; `losses` counts what goes."""
    kept: dict[str, Any] = {}
    for name, value in row.items():
        kind, column = stream.columns.get(name), f"{stream.table}.{name}"
        if kind is None:
            losses["undeclared_columns"][column] += 1
            continue
        if value is not None and not _takes(kind, value):
            losses["values_of_another_type"][column] += 1
        kept[name] = value
    now = datetime.now(UTC)
    if _TIME in stream.columns and not _is_near(kept.get(_TIME), now):
        losses["times_replaced"][stream.table] += 1
        if not keep_times:
            kept[_TIME] = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    line = msgspec.json.encode(kept)
    if len(line) <= MAX_VALUE:  # no value can be longer than its row
        return line
    for name, value in kept.items():
        encoded = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
        if len(encoded) > MAX_VALUE:
            losses["truncated_values"][f"{stream.table}.{name}"] += 1
            kept[name] = encoded[:MAX_VALUE].decode(errors="ignore")
    return msgspec.json.encode(kept)


def _is_near(value: Any, now: datetime) -> bool:
    try:
        return now - OLDEST <= parse_time(value) <= now + NEWEST
    except (AttributeError, ValueError):
        return False


def _takes(kind: str, value: Any) -> bool:
    """Whether a JSON value is of a column's type."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "dynamic":
            return True
        case "boolean":
            return isinstance(value, bool)
        case "real":
            return is_number
        case "int" | "long":
            return is_number and value == int(value)
        case _:
            return isinstance(value, str)
