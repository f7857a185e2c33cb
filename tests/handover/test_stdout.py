"""Whole lines, whatever the other end of the pipe does."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sentinelone_source.errors import ReaderGone
from sentinelone_source.handover.stdout import StdoutSink
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=[True, False], ids=["blocking", "not blocking"])
def pipe(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """A pipe; whoever passed it on may have made it non-blocking, so that writes are partial."""
    reading, writing = os.pipe()
    os.set_blocking(writing, request.param)
    yield reading, writing
    for end in (reading, writing):
        with suppress(OSError):
            os.close(end)


def pieces(name: str, count: int, rng: random.Random) -> list[bytes]:
    """Whole lines, in pieces of all sizes."""
    lines = [b"%s-%d:%s\n" % (name.encode(), n, b"x" * rng.randrange(3000)) for n in range(count)]
    whole = b"".join(lines)
    cuts = sorted(rng.randrange(len(whole)) for _ in range(count * 3))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def test_several_feeds(pipe: tuple[int, int]) -> None:
    """Lines of several feeds stay whole, and those of each feed in order."""
    reading, writing = pipe
    rng = random.Random(5)
    batches = {name: [pieces(name, 300, rng) for _ in range(4)] for name in "abc"}
    got = bytearray()

    def read() -> None:
        while data := os.read(reading, rng.randrange(1, 50_000)):
            got.extend(data)

    async def give(stdout: StdoutSink, name: str) -> None:
        for batch in batches[name]:
            await stdout.give(batch)

    async def work() -> None:
        stdout = StdoutSink(writing)
        await asyncio.gather(*(give(stdout, name) for name in batches))

    reader = threading.Thread(target=read)
    reader.start()
    asyncio.run(work())
    os.close(writing)
    reader.join(30)
    lines = bytes(got).splitlines(keepends=True)
    for name, given in batches.items():
        mine = [line for line in lines if line.startswith(name.encode())]
        assert b"".join(mine) == b"".join(piece for batch in given for piece in batch)
    assert len(lines) == 3 * 4 * 300


def test_nothing(pipe: tuple[int, int]) -> None:
    """A page without rows is no error."""
    asyncio.run(StdoutSink(pipe[1]).give([]))


def test_reader_is_there(pipe: tuple[int, int]) -> None:
    """A reader counts as there while the pipe is empty or full."""
    reading, writing = pipe
    stdout = StdoutSink(writing)
    stdout.check()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, b"x" * 60_000):
            pass
    stdout.check()
    assert os.read(reading, 1) == b"x"


def test_reader_has_gone(pipe: tuple[int, int]) -> None:
    """Once the reader has closed the pipe, a check and a write are errors that say so."""
    reading, writing = pipe
    stdout = StdoutSink(writing)
    asyncio.run(stdout.give([b"unread\n"]))
    os.close(reading)
    with pytest.raises(ReaderGone, match="the reader has closed the pipe"):
        stdout.check()
    with pytest.raises(ReaderGone, match="the reader has closed the pipe"):
        asyncio.run(stdout.give([b"row\n"]))


def test_reader_goes_in_mid_write(pipe: tuple[int, int]) -> None:
    """A write that waits for room in the pipe ends when the reader goes."""
    reading, writing = pipe
    threading.Timer(0.2, os.close, [reading]).start()
    with pytest.raises(ReaderGone):
        asyncio.run(StdoutSink(writing).give([b"x" * 1_000_000]))


def test_patience(pipe: tuple[int, int]) -> None:
    """A write with patience ends with an error when nobody reads."""
    with pytest.raises(ReaderGone, match="the reader has not read for 0 seconds"):
        asyncio.run(StdoutSink(pipe[1], patience=0.2).give([b"x" * 1_000_000]))
    os.close(pipe[0])
    until(lambda: not writing(), "the end of the write")


def writing() -> bool:
    """Whether a thread is still in a write, of which only its descriptor is left to us."""
    frames = sys._current_frames().values()
    return any(frame.f_code.co_name == "_write_some" for frame in frames)
