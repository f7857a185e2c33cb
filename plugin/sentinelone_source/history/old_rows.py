"""Warnings about rows that are too old for Azure to keep their `TimeGenerated`."""

from __future__ import annotations

import msgspec
import structlog
from msgspec.structs import replace

from sentinelone_source.errors import SourceError
from sentinelone_source.feed.feed import Feed
from sentinelone_source.mapping.request import page_requests
from sentinelone_source.times import SECOND, to_iso
from sentinelone_source.worker_threads import in_thread

KEPT = 2 * 86_400 * SECOND
"""Azure keeps a `TimeGenerated` that is at most so old; microseconds."""
OLD = "old"
"""The label in `Counts.late` for rows whose `TimeGenerated` Azure replaces."""
ADVICE = (
    "TimeGenerated is more than 2 days old: Azure puts the time of arrival in its place; "
    "the other columns keep their times"
)
_log = structlog.get_logger()


async def announce_old_rows(feed: Feed, since: int, before: int) -> None:
    """Log how many records a feed has in a span (microseconds), by the console's own count."""
    records = await _count(feed, since, before)
    about = {"console": feed.console.name, "feed": feed.name}
    _log.warning("old_rows", **about, before=to_iso(before), records=records, advice=ADVICE)


async def _count(feed: Feed, since: int, before: int) -> int | None:
    """The console's number of records in a span; None if it does not tell one."""
    [request, *_] = page_requests(feed.mapper.mapping, since, before)
    if request.body is not None:
        return None
    query = {name: value for name, value in request.query.items() if name != "skipCount"}
    one = replace(request, size=1, query=query)
    try:
        response = await feed.console.fetch(feed.endpoint, one)
        body = await in_thread(response.decoded)
        return int(msgspec.json.decode(body)["pagination"]["totalItems"])
    except (SourceError, ValueError, LookupError, TypeError):
        return None  # the reading of the windows reports the error
