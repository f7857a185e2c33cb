"""A tenant where things happen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from doubles.world import World


@contextmanager
def living(world: World, tick: float = 0.05) -> Iterator[None]:
    """Things happen for as long as this lasts."""
    over = threading.Event()

    def live() -> None:
        while not over.wait(tick):
            world.tick()

    life = threading.Thread(target=live)
    life.start()
    try:
        yield
    finally:
        over.set()
        life.join()
