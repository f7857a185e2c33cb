"""How far a long command is: a bar on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import sys
from typing import Self, TextIO

import structlog

from sentinelone_source.times import SYSTEM_CLOCK, Clock

_WIDTH = 30
_log = structlog.get_logger()


class Progress:
    """Shows how far a command is, as often as it is told.

    Args:
        command: named in the log.
        what: is counted, such as `rows`.
        seconds: between two lines of the log.
        stream: where the bar goes, if it is a terminal.
    """

    def __init__(
        self,
        command: str,
        what: str = "rows",
        *,
        seconds: float = 30.0,
        stream: TextIO | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._command, self._what, self._clock = command, what, clock
        self._stream = sys.stderr if stream is None else stream
        self._bar = self._stream.isatty()
        self._every = 0.1 if self._bar else seconds
        self._began = self._shown_at = clock.monotonic()
        self._first: float | None = None

    def show(self, done: float, count: int) -> None:
        """Tell how far it is.

        Args:
            done: the part of the whole that is done, at most 1.
            count: of this process.
        """
        now = self._clock.monotonic()
        if self._first is None:
            self._first = done
        if now - self._shown_at < self._every:
            return
        self._shown_at = now
        passed = now - self._began
        rate = count / passed
        here = done - self._first
        left = round(passed / here * (1 - done)) if here > 0 else None
        if self._bar:
            self._draw(done, count, rate, left)
        else:
            _log.info(
                "progress",
                command=self._command,
                done=round(done, 4),
                count=count,
                what=self._what,
                per_second=round(rate, 1),
                seconds_left=left,
            )

    def _draw(self, done: float, count: int, rate: float, left: int | None) -> None:
        full = int(done * _WIDTH)
        bar = "#" * full + "-" * (_WIDTH - full)
        words = f"[{bar}] {done:4.0%}  {count:,} {self._what}, {rate:,.0f} a second"
        if left is not None:
            words += f", {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
        self._stream.write(f"\r{words}\x1b[K")
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar and self._first is not None:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
