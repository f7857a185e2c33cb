"""How far a long command is: a bar on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Self, TextIO

import structlog

from sentinelone_source.times import SYSTEM_CLOCK, Clock

_WIDTH = 30
_LOG_EVERY = 30.0
_log = structlog.get_logger()


class ProgressDisplay:
    """Shows how far a command is: a bar on a terminal, lines of the log elsewhere.

    `what` is counted, such as `rows`; without `bar` there are lines on a terminal, too.
    """

    def __init__(
        self,
        command: str,
        what: str = "rows",
        *,
        bar: bool = True,
        stream: TextIO | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._command, self._what, self._clock = command, what, clock
        self._stream = sys.stderr if stream is None else stream
        self.is_bar = bar and self._stream.isatty()
        self._every = 0.1 if self.is_bar else _LOG_EVERY
        self._began = clock.monotonic()
        self._next = self._began + (0 if self.is_bar else _LOG_EVERY)
        self._first: float | None = None

    def show(self, done: float | None, count: int) -> None:
        """Tell the part that is done, if the whole is known, and the count of this process."""
        now = self._clock.monotonic()
        if self._first is None:
            self._first = done
        if now < self._next:
            return
        self._next = now + self._every
        passed = max(0.001, now - self._began)
        left = None
        if done is not None and self._first is not None and done > self._first:
            left = round(passed / (done - self._first) * (1 - done))
        if self.is_bar:
            self._draw(done, f"{count:,} {self._what}, {count / passed:,.0f} a second", left)
        else:
            _log.info(
                "progress",
                command=self._command,
                done=None if done is None else round(done, 4),
                count=count,
                what=self._what,
                per_second=round(count / passed, 1),
                seconds_left=left,
            )

    async def follow(self, count: Callable[[], int], goes_on: Callable[[], bool]) -> None:
        """Tell how much there is by now, as long as it goes on."""
        while goes_on():
            self.show(None, count())
            await asyncio.sleep(0.2)

    def _draw(self, done: float | None, words: str, left: int | None) -> None:
        if done is not None:
            full = int(done * _WIDTH)
            words = f"[{'#' * full}{'-' * (_WIDTH - full)}] {done:4.0%}  {words}"
        if left is not None:
            words += f", {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
        self._write(words)

    def _write(self, words: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(f"\r{words}\x1b[K")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_bar:
            self._write("")
