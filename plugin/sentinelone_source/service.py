"""Runs feeds until told to stop."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog

from sentinelone_source import __version__
from sentinelone_source.config import Settings
from sentinelone_source.console.permissions import permission
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
from sentinelone_source.feed.settling import Settling
from sentinelone_source.feed.state import State
from sentinelone_source.memory import give_back_large_buffers

REFUSED_WAIT = 3600.0
"""Seconds until a feed is tried again that the console does not permit, or does not understand."""
STOP_PATIENCE = 4.0
"""Seconds that a stopping process waits for its reader to take what has been begun."""
_POSTPONED_WAIT = 10.0
"""Seconds at most until a feed is swept again whose rows the shipper refused."""
RESTARTS = 5
"""How often one sweep begins again because the console lost its cursor."""

Beside = Callable[[], Coroutine[Any, Any, None]]
"""Something that runs as long as the feeds do, and troubles none of them."""

_log = structlog.get_logger()


class Outcome(Enum):
    """How a feed's one sweep went."""

    DONE = "done"
    FORBIDDEN = "forbidden"
    FAILED = "failed"
    REFUSED = "refused"
    POSTPONED = "postponed"


@dataclass
class Service:
    """Everything that runs, put together by `assemble`.

    Attributes:
        once: one sweep of every feed; one whose rows the shipper refuses is repeated for `patience`
            seconds.
    """

    settings: Settings
    feeds: list[Feed]
    state: State
    settling: Settling
    once: bool
    patience: float
    beside: Sequence[Beside] = ()

    async def run(self) -> int:
        """Run until done, or stopped by SIGTERM or SIGINT; gives the exit status."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await self.run_until(stop)

    async def run_until(self, stop: asyncio.Event) -> int:
        """`run`, stopped by an event.

        Raises:
            Fatal: nothing goes on.
        """
        give_back_large_buffers()
        _log.info(
            "started",
            version=__version__,
            state=str(self.state.folder),
            to=self.settings.handover.to,
            feeds=[f"{feed.console.name}/{feed.name}" for feed in self.feeds],
        )
        feeds = asyncio.ensure_future(self._tend_all())
        settling = asyncio.create_task(self.settling.run())
        stopped = asyncio.create_task(stop.wait())
        beside = [asyncio.create_task(run()) for run in self.beside]
        try:
            await asyncio.wait({feeds, settling, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if settling.done():
                await settling
            outcomes = await feeds if feeds.done() else []
        finally:
            await _end(feeds, settling, stopped, *beside)
        await self._finish()
        return _status(outcomes)

    async def _finish(self) -> None:
        """Stop in good order: what was written to its end is settled."""
        under_way = [feed.handing_over for feed in self.feeds if feed.handing_over is not None]
        if under_way:
            done, _ = await asyncio.wait(under_way, timeout=STOP_PATIENCE)
            for page in done:
                if not page.cancelled() and isinstance(error := page.exception(), Fatal):
                    raise error
        self.settling.settle_all()
        _log.info("stopped", rows=sum(feed.counts.rows for feed in self.feeds))

    async def _tend_all(self) -> list[Outcome]:
        return await asyncio.gather(*(self._tend(feed) for feed in self.feeds))

    async def _tend(self, feed: Feed) -> Outcome:
        """Sweep one feed, for ever or once; its troubles stay its own."""
        began = time.monotonic()
        while True:
            outcome, wait = await self._sweep(feed)
            again = outcome is Outcome.POSTPONED and time.monotonic() - began < self.patience
            if self.once and not again:
                return outcome
            if outcome is Outcome.FORBIDDEN:
                await feed.console.rest(feed.endpoint, wait)
            else:
                await asyncio.sleep(wait)

    async def _sweep(self, feed: Feed) -> tuple[Outcome, float]:
        interval = self.settings.feed(feed.name).interval
        about = {"console": feed.console.name, "feed": feed.name}
        try:
            await _restarting(feed)
        except FeedRefused as error:
            if error.http_status == 403:
                about["permission"] = permission(feed.endpoint)
            _log.error("feed_refused", **about, error=str(error), retry="hourly")
            return Outcome.FORBIDDEN, max(interval, REFUSED_WAIT)
        except BadRequest as error:
            _log.error("feed_not_understood", **about, error=str(error), retry="hourly")
            return Outcome.FAILED, max(interval, REFUSED_WAIT)
        except Refused as error:
            _log.error("refused", **about, error=str(error))
            return Outcome.REFUSED, interval
        except Fatal:
            raise
        except Exception as error:  # noqa: BLE001 - one feed's defect does not stop the others
            _failed(error, about)
            if isinstance(error, Declined):
                return Outcome.POSTPONED, min(interval, _POSTPONED_WAIT)
            return Outcome.FAILED, interval
        return Outcome.DONE, interval


def _failed(error: Exception, about: dict[str, str]) -> None:
    if isinstance(error, SourceError):
        _log.error("sweep_failed", **about, error=str(error))
    elif lacks_descriptors(error):
        _log.error("sweep_failed", **about, error=f"no file descriptor is left: {error}")
    else:
        _log.error(
            "sweep_failed",
            **about,
            error="internal error, please report it",
            exc_info=error,
        )


async def _restarting(feed: Feed) -> None:
    for left in reversed(range(RESTARTS)):
        try:
            await feed.sweep()
        except CursorLost as error:
            if not left:
                raise
            _log.warning("restart", console=feed.console.name, feed=feed.name, error=str(error))
            await asyncio.sleep(RESTARTS - left)
        else:
            return


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _status(outcomes: Sequence[Outcome]) -> int:
    if not outcomes:
        return EXIT_OK
    if Outcome.REFUSED in outcomes or all(one is Outcome.FORBIDDEN for one in outcomes):
        return EXIT_REFUSED
    failed = {Outcome.FAILED, Outcome.POSTPONED}.intersection(outcomes)
    return EXIT_FAILED if failed else EXIT_OK
