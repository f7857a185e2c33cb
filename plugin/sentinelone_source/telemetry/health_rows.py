"""Rows about the source itself, so that the workspace shows when it stops."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any, NamedTuple

import structlog

from sentinelone_source import __version__
from sentinelone_source.errors import ReaderGone
from sentinelone_source.feed.counts import Counts
from sentinelone_source.handover.batches import pack
from sentinelone_source.mapping.numbers import encode_lines
from sentinelone_source.mapping.rows.lines import row_type
from sentinelone_source.mapping.spec.files import HEALTH
from sentinelone_source.mapping.spec.model import TableSpec
from sentinelone_source.telemetry.feed_status import FeedStatus, read_feeds
from sentinelone_source.telemetry.source import Source
from sentinelone_source.times import SECOND, to_iso

_LONGEST_ERROR = 2000

_log = structlog.get_logger()


class _Line(NamedTuple):
    """A health row: its line, its feed, and what the counts of the feed were."""

    line: bytes
    number: int
    counts: dict[str, int]


class HealthRows:
    """Hands over a row a feed at each `interval`; nothing else waits for them.

    With `by_console` the rows of each console go on their own, since their tags differ.
    `handing_over` are rows on their way: they go on when `run` is cancelled.
    """

    def __init__(
        self, source: Source, table: TableSpec, interval: float, *, by_console: bool
    ) -> None:
        self.handing_over: asyncio.Task[None] | None = None
        self._source = source
        self._table = table
        self._row = row_type(table)
        self._interval = interval
        self._by_console = by_console
        self._told = [_counted(Counts()) for _ in source.feeds]
        self._since = 0.0

    async def run(self) -> None:
        """Hand rows over, a set after the other, until cancelled or the reader has gone."""
        while True:
            self.handing_over = asyncio.create_task(self._hand_over())
            try:
                await asyncio.shield(self.handing_over)
            except ReaderGone:  # the feeds report it
                return
            except Exception:  # noqa: BLE001 - a defect of ours is not the poller's end
                _log.exception("internal_error", where="health rows")
            await asyncio.sleep(self._interval)

    async def _hand_over(self) -> None:
        groups: dict[str, list[FeedStatus]] = {}
        for feed in read_feeds(self._source):
            console = feed.feed.console.name if self._by_console else ""
            groups.setdefault(console, []).append(feed)
        since, self._since = self._since, time.time()
        made = {name: [self._make(one, since) for one in its] for name, its in groups.items()}
        await asyncio.gather(*(self._send(name, rows) for name, rows in made.items()))

    async def _send(self, console: str, rows: list[_Line]) -> None:
        """Hand rows over; what those that are refused have counted goes into the next ones."""
        batches = (batch.pieces for batch in pack((row.line, 1) for row in rows))
        sending = await self._source.sink.write(console, HEALTH.name, batches)
        refused, postponed = await sending
        lost = {refusal.line for refusal in refused} | {rows[place].line for place in postponed}
        for row in rows:
            if row.line not in lost:
                self._told[row.number] = row.counts
        if lost:
            reason = refused[0].reason if refused else "the shipper accepts none of them"
            _log.warning("health_refused", rows=len(lost), error=reason)

    def _make(self, status: FeedStatus, since: float) -> _Line:
        counted = _counted(status.feed.counts)
        before = self._told[status.number]
        grown = {column: count - before[column] for column, count in counted.items()}
        console = status.feed.console
        added = {
            column.name: getattr(console, column.console) if column.console else None
            for column in self._table.columns
        }
        values = added | _described(status, since) | grown
        line = encode_lines([self._row(*(values[one.name] for one in self._table.columns))])
        return _Line(line, status.number, counted)


def _counted(counts: Counts) -> dict[str, int]:
    """By column, what is shown as its growth since the last health row of the feed."""
    return {
        "Rows": counts.rows,
        "Bytes": counts.bytes,
        "LateRows": sum(counts.late.copy().values()),
        "SuppressedRows": counts.unchanged,
        "DeadLetters": counts.dead,
    }


def _described(status: FeedStatus, since: float) -> dict[str, Any]:
    """What is not counted, by column; `since` is when the last row was made."""
    feed, trouble = status.feed, status.trouble
    is_news = trouble.error and max(trouble.until, trouble.at) > since
    return {
        "TimeGenerated": to_iso(time.time_ns() // 1000),
        "Console": feed.console.name,
        "Feed": feed.name,
        "Table": feed.table,
        "Version": __version__,
        "Host": socket.gethostname(),
        "Status": status.state.value,
        "BehindSeconds": round(status.behind, 3),
        "LastSuccess": _moment(feed.last_success),
        "LastError": trouble.error[:_LONGEST_ERROR] if is_news else None,
        "TokenExpires": _moment(feed.console.expiry.at),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else to_iso(round(seconds * SECOND))
