"""A configuration in which everything is right, for the doctor's tests."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from doubles.console import ScriptedConsole
from doubles.manager import RULE, LoopbackManager
from doubles.world import World
from support.cloud import AzureTenancy
from support.cloud_fixtures import cloud, plain_environment
from support.doctor import TOKEN
from support.tenancy import NAMES

__all__ = ["cloud", "plain_environment"]


@pytest.fixture
def console() -> Iterator[ScriptedConsole]:
    """A console with a record of each kind."""
    world = World(seed=7)
    kinds: dict[str, Any] = dict.fromkeys(NAMES, 1)
    world.populate(**kinds)
    with ScriptedConsole(world, {TOKEN}) as running:
        yield running


@pytest.fixture
def shipper() -> Iterator[str]:
    """Somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


BEFORE = """
[state]
path = "state"
[handover]
to = "{to}"
[[consoles]]
name = "acme"
url = "{url}"
token_file = "token"
{more}
"""


@pytest.fixture
def configure(cloud: AzureTenancy, console: ScriptedConsole, shipper: str) -> Callable[..., None]:
    """Writes a configuration in which everything is right but what is given."""

    def write(more: str = "", to: str = shipper, **over: Any) -> None:
        (cloud.folder / "token").write_text(TOKEN)
        cloud.configure(before=BEFORE.format(to=to, url=console.url, more=more), **over)

    write()
    return write


@pytest.fixture
def manager(cloud: AzureTenancy) -> Iterator[LoopbackManager]:
    """A Resource Manager that knows what the template deploys."""
    cloud.configure(dcr_resource_id=RULE)
    with LoopbackManager(cloud.azure.behaviour.dcr_id) as running:
        yield running
