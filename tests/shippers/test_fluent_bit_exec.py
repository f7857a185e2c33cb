"""Console to Azure through the real Fluent Bit, which runs the poller."""

from __future__ import annotations

import os
import signal

import msgspec
import pytest

from doubles import azure_faults as faults
from shippers.arrivals import shown
from shippers.delivery import EXEC, Delivery
from support.tenancy import NAMES, OTHER, Tenancy
from support.waiting import until

pytestmark = [pytest.mark.shippers, pytest.mark.timeout(1800)]
BURST = 20_000


def test_every_table(fluent_bit: str, tenancy: Tenancy) -> None:
    """Rows of every table arrive; a stop ends well, and what comes after it arrives once."""
    tenancy.populate(150)
    tenancy.configure()
    with Delivery(fluent_bit, tenancy, "exec.yaml") as delivery:
        arrived = delivery.expect()
        assert arrived.keys() == shown(tenancy)
        delivery.check_requests()
        assert delivery.shipper.stop() == 0
        delivery.shipper.start()
        tenancy.world.new_threat()
        assert set(delivery.expect().values()) == {1}


def test_burst_while_azure_is_away(fluent_bit: str, tenancy: Tenancy) -> None:
    """A burst of rows while Azure is away is kept on disk through a kill, and arrives whole."""
    tenancy.populate(BURST // len(NAMES))
    tenancy.configure(settle="30s")
    with Delivery(fluent_bit, tenancy, "exec.yaml", EXEC) as delivery:
        delivery.azure.stop()
        swept = [f'"feed":"{name}","kind"' for name in NAMES]
        until(lambda: all(line in delivery.shipper.said for line in swept))
        until(lambda: delivery.stored() > 20_000_000)
        delivery.shipper.kill()
        delivery.azure.start()
        delivery.shipper.start()
        assert delivery.expect().keys() == shown(tenancy)
        delivery.check_requests()


def test_a_table_without_an_output(fluent_bit: str, tenancy: Tenancy) -> None:
    """Rows of a user's own table, which has no output, are kept in a file, and only they."""
    tenancy.populate(3)
    tenancy.configure()
    (tenancy.folder / "mappings/other.toml").write_text(OTHER)
    with Delivery(fluent_bit, tenancy, "exec.yaml", EXEC) as delivery:
        delivery.expect()
        kept = delivery.folder / "buffers" / "unrouted.ndjson"
        groups = len(tenancy.world.all("groups"))
        until(lambda: kept.exists() and len(kept.read_text().splitlines()) >= groups)
        rows = [msgspec.json.decode(line) for line in kept.read_text().splitlines()]
        assert {row["_table"] for row in rows} == {"Other_CL"}


def test_a_poller_that_dies_comes_back(fluent_bit: str, tenancy: Tenancy) -> None:
    """A poller that is killed is started again, and its rows arrive."""
    tenancy.populate(50)
    tenancy.configure()
    with Delivery(fluent_bit, tenancy, "exec.yaml", EXEC) as delivery:
        delivery.expect()
        for poller in delivery.pollers():
            os.kill(poller, signal.SIGKILL)
        tenancy.world.new_threat()
        tenancy.world.new_activity()
        delivery.expect()


def test_a_token_endpoint_that_hangs(fluent_bit: str, tenancy: Tenancy) -> None:
    """Every row arrives although the token endpoint hangs for a while."""
    tenancy.populate(1000)
    tenancy.configure()
    with Delivery(fluent_bit, tenancy, "exec.yaml", EXEC) as delivery:
        delivery.azure.faults.add(faults.hang("token", 12, times=5))
        assert delivery.expect().keys() == shown(tenancy)
