"""Rows on stdout. Nothing can acknowledge a pipe; that its reader is still there is all we know."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Awaitable, Iterable

from sentinelone_source.errors import ReaderGone
from sentinelone_source.handover.sink import Receipt, Sink, all_taken
from sentinelone_source.timings import DEFAULTS, Timings
from sentinelone_source.worker_threads import in_thread

_MOST_PIECES = 512
"""Of one `writev`; Linux takes 1024."""


class StdoutSink(Sink):
    """The one writer of a file descriptor: whole batches, one after another.

    A reader that does not read for `patience` seconds counts as gone; with None it never does.
    """

    def __init__(
        self, descriptor: int = 1, *, patience: float | None = None, timings: Timings = DEFAULTS
    ) -> None:
        super().__init__(timings)
        self._descriptor = descriptor
        self._patience = patience
        self._turn = asyncio.Lock()

    async def write(
        self, _console: str, mapping: str, batches: Iterable[list[bytes]]
    ) -> Awaitable[Receipt]:
        """Write lines at once, so that a page's are not in memory together."""
        for pieces in batches:
            with self.handing_over(mapping):
                await self.give(pieces)
        return all_taken()

    async def give(self, pieces: list[bytes]) -> None:
        """Write lines; raises ReaderGone if they cannot be written, or not in time."""
        try:
            async with asyncio.timeout(self._patience), self._turn:
                await in_thread(self._write, pieces)
        except TimeoutError:
            raise ReaderGone(
                f"stdout: the reader has not read for {self._patience:.0f} seconds"
            ) from None

    def check(self) -> None:
        """Raise ReaderGone if the reading end has been closed."""
        poll = select.poll()
        poll.register(self._descriptor, 0)
        if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
            raise ReaderGone("stdout: the reader has closed the pipe")

    def _write(self, pieces: list[bytes]) -> None:
        left = [memoryview(piece) for piece in pieces]
        try:
            while left:
                written = self._write_some(left[:_MOST_PIECES])
                while left and written >= len(left[0]):
                    written -= len(left.pop(0))
                if written:
                    left[0] = left[0][written:]
        except BrokenPipeError:
            raise ReaderGone("stdout: the reader has closed the pipe") from None
        except OSError as error:
            raise ReaderGone(f"stdout: cannot be written: {error.strerror}") from None

    def _write_some(self, pieces: list[memoryview]) -> int:
        while True:
            try:
                return os.writev(self._descriptor, pieces)
            except BlockingIOError:  # another process made the pipe non-blocking: wait all the same
                select.select([], [self._descriptor], [])
