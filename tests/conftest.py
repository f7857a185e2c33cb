"""What several rooms need: a tenant whose console answers, and the program's configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from doubles.console import ScriptedConsole
from doubles.in_http import InHttp
from doubles.world import World
from support.tenancy import TOKEN, Tenancy

_SLOW_MACHINES = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
for _name, _examples in (("quick", 50), ("deep", 1000)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        derandomize=True,  # a failure is one of the change that shows it
        deadline=None,
        suppress_health_check=_SLOW_MACHINES,
    )
settings.load_profile("quick")

OTHERS = frozenset({"fluent_bit", "vector", "podman"})
"""Fixtures that need a program which is not ours, or a stand-in where a test takes either."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if OTHERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow" if "[stand-in" in item.name else "shippers")


@pytest.fixture
def tenancy(tmp_path: Path) -> Iterator[Tenancy]:
    """An empty tenant with a console, and a folder to run the program in."""
    world = World(seed=11)
    with ScriptedConsole(world, {TOKEN}) as console:
        yield Tenancy(tmp_path, world, console)


@pytest.fixture
def shipper() -> Iterator[InHttp]:
    """A listener that takes everything."""
    with InHttp() as listening:
        yield listening
