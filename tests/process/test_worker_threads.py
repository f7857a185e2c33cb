"""Blocking calls in threads of their own."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref

import pytest

from sentinelone_source.worker_threads import in_thread


class Body:
    """Stands for a page of many megabytes."""


def test_results_and_errors_come_back() -> None:
    """Results and errors reach the one who awaits them."""

    async def work() -> None:
        assert await asyncio.gather(*(in_thread(divmod, n, 7) for n in range(50))) == [
            divmod(n, 7) for n in range(50)
        ]
        with pytest.raises(ZeroDivisionError):
            await in_thread(divmod, 1, 0)

    asyncio.run(work())


def test_a_thread_is_used_again() -> None:
    """Threads are used again."""

    async def work() -> set[int]:
        return {await in_thread(threading.get_ident) for _ in range(50)}

    assert len(asyncio.run(work())) == 1


def test_nothing_is_kept_of_a_call() -> None:
    """A thread without work holds nothing of its last call."""

    async def work() -> None:
        body = Body()
        seen = weakref.ref(body)
        assert await in_thread(id, body) == id(body)
        del body
        gc.collect()
        assert seen() is None

    asyncio.run(work())


def test_a_call_that_hangs_does_not_keep_the_process() -> None:
    """A call that does not return does not keep the process alive."""
    code = """if True:
        import asyncio, time
        from sentinelone_source.worker_threads import in_thread
        async def work():
            async with asyncio.timeout(0.1):
                await in_thread(time.sleep, 3600)
        asyncio.run(work())
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, timeout=60
    )
    assert b"TimeoutError" in done.stderr
