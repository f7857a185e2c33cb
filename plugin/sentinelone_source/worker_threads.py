"""Blocking calls beside the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Call = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]
_Desk = SimpleQueue[_Call]
_idle: deque[_Desk] = deque()
"""Where threads without work wait for some, the latest last."""


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run a blocking call in a thread, which is kept for the next one.

    The threads are daemons: a request that hangs does not keep the process from ending, as it would
    in the event loop's own executor.
    """
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    try:
        desk = _idle.pop()
    except IndexError:
        desk = SimpleQueue()
        threading.Thread(target=_work, args=(desk,), daemon=True, name="in_thread").start()
    desk.put((future, function, args))
    return await future


def _work(desk: _Desk) -> None:
    while True:
        _serve(desk)  # a call of its own: its variables do not keep the page until the next call


def _serve(desk: _Desk) -> None:
    future, function, args = desk.get()
    result, error = None, None
    try:
        result = function(*args)
    except BaseException as caught:  # noqa: BLE001 - handed to the one who waits
        error = caught
    _idle.append(desk)  # before the caller is woken, or its next call would start another thread
    with contextlib.suppress(RuntimeError):  # the loop has ended: nothing waits
        future.get_loop().call_soon_threadsafe(_deliver, future, result, error)


def _deliver(future: asyncio.Future[T], result: T, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
