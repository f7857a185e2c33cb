"""How often a console is asked, over all feeds of a token."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from doubles import faults
from doubles.console import Rate
from sentinelone_source.config.settings import load_settings
from sentinelone_source.console.console import Console
from sentinelone_source.console.limits import Limit, Limits
from sentinelone_source.errors import Throttled
from sentinelone_source.http.slots import Slots
from sentinelone_source.mapping.request import PageRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.conftest import Swept
    from support.tenancy import Tenancy


async def take(limit: Limit, times: int) -> float:
    """Seconds until so many permissions have been used."""
    slots = Slots(times)
    began = time.monotonic()
    await asyncio.gather(*(slots.run(partial(asyncio.sleep, 0), limit) for _ in range(times)))
    return time.monotonic() - began


def test_burst_then_rate() -> None:
    """After a burst, requests are let through at the limit's rate."""
    assert asyncio.run(take(Limit(20, 5), 15)) >= 0.49
    assert asyncio.run(take(Limit(20, 1), 5)) >= 0.19


def test_closed() -> None:
    """A request waits until the longest pause that was asked for is over."""
    limit, began = Limit(1000, 10), time.monotonic()
    limit.close(0.3)
    limit.close(0.1)
    asyncio.run(take(limit, 2))
    assert time.monotonic() - began >= 0.3


def test_endpoints_are_apart() -> None:
    """Each endpoint has a limit of its own."""
    limits = Limits()
    assert limits.of("groups") is limits.of("groups")
    assert limits.of("groups") is not limits.of("cloud-detection/alerts")


def test_retry_after_is_for_all_feeds_of_a_token(tenancy: Tenancy) -> None:
    """A `Retry-After` holds for all consoles that share the token."""
    (settings,) = load_settings(tenancy.config, {}).consoles
    tenancy.console.faults.add(faults.throttle("groups", retry_after=1))

    async def ask() -> None:
        limits = Limits()
        one, other = (Console(settings, limits, {}, patience=None) for _ in range(2))
        with pytest.raises(Throttled):
            await one.fetch("groups", PageRequest(5))
        await asyncio.gather(*(who.fetch("groups", PageRequest(5)) for who in (one, other)))

    asyncio.run(ask())
    throttled, *later = [request.time for request in tenancy.console.requests]
    assert min(later) - throttled >= 1.0


def test_limits_are_kept_by_a_sweep(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """A sweep of many pages is never throttled."""
    tenancy.populate(120)
    tenancy.configure(page_size=10)
    tenancy.console.behaviour.rates = {"groups": Rate(12, 2), "agents": Rate(27, 2)}
    swept = sweep("groups", "agents")
    assert swept.status == 0
    assert {request.status for request in tenancy.console.requests} == {200}
    assert sorted(swept.lines) == sorted(tenancy.shown(["groups", "agents"]))


def test_console_with_stricter_limits(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """From a console that allows less than published, every record arrives."""
    tenancy.populate(30)
    tenancy.configure(page_size=10)
    tenancy.console.behaviour.rates = {"groups": Rate(5, 1)}
    swept = sweep("groups")
    assert sorted(swept.lines) == sorted(tenancy.shown(["groups"]))
