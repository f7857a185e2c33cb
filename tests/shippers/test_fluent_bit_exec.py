"""Console to Azure through the real Fluent Bit, which runs a poller for each table."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
import requests

from doubles import azure_faults as faults
from shippers.delivery import EXEC, Delivery, shown, without_state
from shippers.fluentbit import free_port
from support.tenancy import NAMES
from support.waiting import until

if TYPE_CHECKING:
    from support.tenancy import Tenancy

pytestmark = pytest.mark.shippers
BURST = 20_000


def test_every_table(fluent_bit: str, tenancy: Tenancy) -> None:
    """A table is not polled, its rows go elsewhere, or a stop takes too long or repeats rows."""
    tenancy.populate(150)
    without_state(tenancy)
    with Delivery(fluent_bit, tenancy, "exec.yaml") as delivery:
        arrived = delivery.expect()
        assert arrived.keys() == shown(tenancy)
        assert sorted(path.name for path in (delivery.folder / "states").iterdir()) == sorted(NAMES)
        delivery.check_requests()
        assert delivery.shipper.stop() == 0
        delivery.shipper.start()
        tenancy.world.new_threat()
        assert set(delivery.expect().values()) == {1}


def test_burst_while_azure_is_away(fluent_bit: str, tenancy: Tenancy) -> None:
    """A first inventory is larger than what Fluent Bit keeps, or does not survive its end."""
    tenancy.populate(BURST // len(NAMES))
    without_state(tenancy, settle="30s")
    with Delivery(fluent_bit, tenancy, "exec.yaml", EXEC) as delivery:
        delivery.azure.stop()
        log = delivery.shipper.log
        swept = [f'"feed":"{name}","kind"' for name in NAMES]
        until(lambda: all(line in log.read_text() for line in swept))
        until(lambda: delivery.stored() > 20_000_000)
        delivery.shipper.kill()
        delivery.azure.start()
        delivery.shipper.start()
        assert delivery.expect().keys() == shown(tenancy)
        delivery.check_requests()


def test_every_poller_shows_its_metrics(fluent_bit: str, tenancy: Tenancy) -> None:
    """Five pollers want one port, four of them end, and nobody sees how far each table is."""
    tenancy.populate(3)
    without_state(tenancy)
    ports = {name: free_port() for name in NAMES}
    listen: dict[str, Any] = {
        f"{name.upper()}_LISTEN": f"127.0.0.1:{port}" for name, port in ports.items()
    }
    with Delivery(fluent_bit, tenancy, "exec.yaml", **listen) as delivery:
        delivery.expect()
        for name, port in ports.items():
            metrics = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
            assert set(re.findall(r'feed="(\w+)"', metrics)) == {name}


def test_a_poller_that_dies_comes_back(fluent_bit: str, tenancy: Tenancy) -> None:
    """A killed poller stays away, or what it had not settled is missing."""
    tenancy.populate(50)
    without_state(tenancy)
    with Delivery(fluent_bit, tenancy, "exec.yaml", EXEC) as delivery:
        delivery.expect()
        for poller in delivery.pollers():
            os.kill(poller, signal.SIGKILL)
        tenancy.world.new_threat()
        tenancy.world.new_activity()
        delivery.expect()


def test_a_token_endpoint_that_hangs(fluent_bit: str, tenancy: Tenancy) -> None:
    """While one output waits for its token, rows pile up in memory and are dropped."""
    tenancy.populate(1000)
    without_state(tenancy)
    with Delivery(fluent_bit, tenancy, "exec.yaml", EXEC) as delivery:
        delivery.azure.faults.add(faults.hang("token", 12, times=5))
        assert delivery.expect().keys() == shown(tenancy)
