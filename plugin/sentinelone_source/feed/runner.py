"""Sweeps a feed again and again. An error of one feed does not stop the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from enum import Enum

import structlog

from sentinelone_source.console.responses import permission
from sentinelone_source.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_REFUSED,
    BadRequest,
    CursorLost,
    Declined,
    Fatal,
    FeedRefused,
    Refused,
    SourceError,
    lacks_descriptors,
)
from sentinelone_source.feed.feed import Feed
from sentinelone_source.feed.reader import FeedReader
from sentinelone_source.timings import Timings

RESTARTS = 5
"""How often a sweep is tried if the console loses its cursor."""

_log = structlog.get_logger()


class Outcome(Enum):
    """How a sweep or a recheck ended."""

    DONE = "done"
    FORBIDDEN = "forbidden"
    NOT_UNDERSTOOD = "not understood"
    FAILED = "failed"
    REFUSED = "refused"
    POSTPONED = "postponed"


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """The exit status of a process that has swept each of its feeds once."""
    if not outcomes:
        return EXIT_OK
    if Outcome.REFUSED in outcomes or all(one is Outcome.FORBIDDEN for one in outcomes):
        return EXIT_REFUSED
    failed = {Outcome.FAILED, Outcome.NOT_UNDERSTOOD, Outcome.POSTPONED}.intersection(outcomes)
    return EXIT_FAILED if failed else EXIT_OK


async def sweep_once(feed: FeedReader, timings: Timings) -> Outcome:
    """Sweep once. Repeat the sweep while the shipper refuses rows, up to `timings.once_patience`.

    Raises Fatal if the process has to end.
    """
    end = time.monotonic() + timings.once_patience
    while True:
        outcome = await _attempt(feed, timings)
        if outcome is not Outcome.POSTPONED or time.monotonic() >= end:
            return outcome
        await asyncio.sleep(min(feed.interval, timings.feed_postponed))


async def run_feed(feed: Feed, timings: Timings) -> Outcome:
    """Sweep a feed for ever, with rechecks between two sweeps. Raises Fatal."""
    while True:
        outcome = await _attempt(feed, timings)
        if outcome is Outcome.DONE:
            await asyncio.sleep(feed.rest)
        elif outcome is Outcome.FORBIDDEN:
            pause = max(feed.interval, timings.feed_refused)
            await feed.console.access.wait_before_retry(feed.endpoint, pause)
        elif outcome is Outcome.NOT_UNDERSTOOD:
            await asyncio.sleep(max(feed.interval, timings.feed_refused))
        elif outcome is Outcome.POSTPONED:
            await asyncio.sleep(min(feed.interval, timings.feed_postponed))
        else:
            await asyncio.sleep(feed.interval)


async def _attempt(feed: FeedReader, timings: Timings) -> Outcome:
    """Carry out what is due of a feed; log an error and return the outcome."""
    about = {"console": feed.console.name, "feed": feed.name}
    try:
        await _read_to_the_end(feed, about, timings.cursor_lost)
    except FeedRefused as error:
        if error.http_status == 403:
            about["permission"] = permission(feed.endpoint)
        _log.error("feed_refused", **about, error=str(error), retry="hourly")
        return Outcome.FORBIDDEN
    except BadRequest as error:
        _log.error("feed_not_understood", **about, error=str(error), retry="hourly")
        return Outcome.NOT_UNDERSTOOD
    except Refused as error:
        _log.error("refused", **about, error=str(error))
        return Outcome.REFUSED
    except Fatal:
        raise
    except Exception as error:  # noqa: BLE001 - one feed's defect does not stop the others
        _tell(error, about)
        return Outcome.POSTPONED if isinstance(error, Declined) else Outcome.FAILED
    return Outcome.DONE


async def _read_to_the_end(feed: FeedReader, about: dict[str, str], pause: float) -> None:
    for tried in range(1, RESTARTS):
        try:
            return await feed.sweep()
        except CursorLost as error:
            _log.warning("restart", **about, error=str(error))
            await asyncio.sleep(pause * tried)
    return await feed.sweep()


def _tell(error: Exception, about: dict[str, str]) -> None:
    if isinstance(error, SourceError):
        _log.error("sweep_failed", **about, error=str(error))
    elif lacks_descriptors(error):
        words = "no file descriptor is left; raise the limit (ulimit -n)"
        _log.error("sweep_failed", **about, error=words)
    else:
        words = "internal error, please report it"
        _log.error("sweep_failed", **about, error=words, exc_info=error)
