"""So many requests at once, in the order of asking."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sentinelone_source.console.limits import Limit
from sentinelone_source.http.slots import Slots

if TYPE_CHECKING:
    from random import Random

ASKED = st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=40)


@given(ASKED, st.integers(1, 6), st.randoms())
def test_slots(asked: list[tuple[int, bool, bool]], number: int, random: Random) -> None:
    """No more requests than slots are under way, and no more of a party than its share.

    Each that is still wanted is made, those of one party and one rate in their order.
    """

    async def work() -> None:
        slots = Slots(number, shared=True)
        shares = [slots.share() for _ in range(4)]
        rate = Limit(1e6, 1)
        under_way: list[tuple[int, asyncio.Event]] = []
        made: dict[tuple[int, bool], list[int]] = defaultdict(list)

        async def request(n: int) -> None:
            party, is_limited, _ = asked[n]
            made[party, is_limited].append(n)
            under_way.append(mine := (party, asyncio.Event()))
            assert len(under_way) <= number
            assert max(Counter(one for one, _ in under_way).values()) <= max(1, number // 2)
            await mine[1].wait()
            under_way.remove(mine)

        tasks = [
            asyncio.create_task(
                slots.run(partial(request, n), *([rate] if is_limited else []), shares[party])
            )
            for n, (party, is_limited, _) in enumerate(asked)
        ]
        unwanted = [
            task for task, (_, _, is_unwanted) in zip(tasks, asked, strict=True) if is_unwanted
        ]
        while under_way or not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            if unwanted and random.random() < 0.2:
                unwanted.pop().cancel()
            if under_way and random.random() < 0.5:
                random.choice(under_way)[1].set()
        for numbers in made.values():
            assert numbers == sorted(numbers)
        wanted = {n for n, task in enumerate(tasks) if not task.cancelled()}
        assert wanted <= {n for numbers in made.values() for n in numbers}

    asyncio.run(work())


def test_one_waiter_is_woken() -> None:
    """Each request that waits for a rate asks for it a few times, however many wait."""
    looks = 0

    class Counted(Limit):
        def wait(self) -> float:
            nonlocal looks
            looks += 1
            return super().wait()

    async def work() -> None:
        slots, rate = Slots(4), Counted(1e4, 1)
        await asyncio.gather(*(slots.run(partial(asyncio.sleep, 0), rate) for _ in range(500)))

    asyncio.run(work())
    assert looks <= 6 * 500


def test_an_urgent_request_is_the_next() -> None:
    """An urgent request is made before those that wait."""
    made: list[str] = []

    async def work() -> None:
        slots = Slots(1)

        async def request(name: str) -> None:
            made.append(name)

        names = ["first", "second", "urgent"]
        await asyncio.gather(
            *(slots.run(partial(request, name), urgent=name == "urgent") for name in names)
        )

    asyncio.run(work())
    assert made == ["first", "urgent", "second"]
