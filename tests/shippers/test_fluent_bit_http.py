"""Console to Azure through the real Fluent Bit, handed over by HTTP."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from doubles import azure_faults as faults
from doubles.world import World
from sentinelone_source.mapping.spec.files import HEALTH
from shippers.arrivals import rows_of, shown
from shippers.delivery import QUICK, Delivery
from shippers.fluentbit import SHIPPED, changed
from support.living import living
from support.tenancy import NAMES, TABLES, Tenancy, lines
from support.waiting import until

pytestmark = pytest.mark.shippers
STREAMS = {name: f"Custom-{table}" for name, table in TABLES.items()}


def nested(depth: int) -> dict[str, Any]:
    """Objects in objects, so many levels."""
    return {"a": nested(depth - 1)} if depth > 1 else {"a": "end"}


def hard(world: World) -> None:
    """Records whose values shippers like to spoil."""
    threat = world.new_threat()
    info = threat["threatInfo"]
    info["threatName"] = "ü ß 漢 😀 👩‍👩‍👧 \u2028\u2029 \"'\\/ \t\x1f\x7f"
    info["filePath"] = "C:\\a\0b"
    info["commandLineArguments"] = "x" * 65_536
    info["fileSize"] = 2**63 - 1
    info["big"] = [2**53 + 1, -(2**63), 2**64 - 1, 0.1, 1e21, -0.0, 1e308]
    threat["indicators"] = [nested(31), {"": None, "a.b": [], " c": {}}]
    info["deep"] = nested(30)
    world.insert("threats", threat)
    activity = world.new_activity()
    activity["data"] = {"text": "\0 😀", "n": 2**53 + 1, "more": ["é"] * 9000}
    world.insert("activities", activity)


def test_every_value_of_every_table(fluent_bit: str, tenancy: Tenancy) -> None:
    """Every row of every table arrives once, with its values."""
    tenancy.populate(150)
    hard(tenancy.world)
    with Delivery(fluent_bit, tenancy) as delivery:
        tenancy.once("--to", delivery.url)
        arrived = delivery.expect()
        assert arrived.keys() == shown(tenancy)
        assert set(arrived.values()) == {1}
        assert delivery.azure.received.counts().keys() == set(TABLES.values())
        delivery.check_requests()


@pytest.mark.parametrize("name", [*NAMES, "alertsv2"])
def test_records_of_the_mappings_own_cases(
    fluent_bit: str, tenancy: Tenancy, name: str, tmp_path: Path
) -> None:
    """Rows of the mapping's own test cases arrive with their values."""
    folder = SHIPPED.parent / "tests" / "mapping" / "cases" / name
    made = set(
        lines(name, [msgspec.json.decode(p.read_bytes())["record"] for p in folder.iterdir()])
    )
    with Delivery(fluent_bit, tenancy) as delivery:
        answer = requests.post(
            f"{delivery.url}sentinelone.{name}.1",
            b"\n".join(made),
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        assert answer.status_code == 201
        assert delivery.expect(rows_of(made)).keys() == rows_of(made)


def test_large_batches(fluent_bit: str, tenancy: Tenancy) -> None:
    """Large batches arrive in requests of at most 1 MiB."""
    tenancy.populate(1200)
    with Delivery(fluent_bit, tenancy) as delivery:
        tenancy.once("--to", delivery.url)
        assert delivery.expect().keys() == shown(tenancy)
        assert max(request.plain for request in delivery.azure.requests) <= 1_048_576
        delivery.check_requests()


def test_no_idle_connection_stays_open(fluent_bit: str, tenancy: Tenancy) -> None:
    """The source closes idle connections before Fluent Bit logs an error about them."""
    tenancy.populate(20)
    tenancy.configure(interval="1h")
    with Delivery(fluent_bit, tenancy) as delivery:
        with tenancy.start("--to", delivery.url) as running:
            running.wait_for("swept", count=len(NAMES))
            until(lambda: not delivery.connected(), "no connection to Fluent Bit")
            assert running.process.poll() is None
        assert delivery.expect().keys() == shown(tenancy)
        assert "timed out" not in delivery.shipper.said


def test_azure_is_away(fluent_bit: str, tenancy: Tenancy) -> None:
    """While Azure is away rows are taken, survive a restart of Fluent Bit, and arrive later."""
    tenancy.populate(100)
    with Delivery(fluent_bit, tenancy, changes=QUICK) as delivery:
        delivery.azure.stop()
        tenancy.once("--to", delivery.url)
        assert delivery.shipper.stop() == 0
        delivery.shipper.start()
        tenancy.world.new_threat()
        tenancy.once("--to", delivery.url)
        delivery.azure.start()
        assert delivery.expect().keys() == shown(tenancy)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
def test_refusals(fluent_bit: str, tenancy: Tenancy, status: int) -> None:
    """Rows that Azure refuses for a while, with any status, are sent again and arrive."""
    tenancy.populate(10)
    with Delivery(fluent_bit, tenancy, changes=QUICK) as delivery:
        times = 25 if status == 429 else 6
        delivery.azure.faults.add(faults.refuse("ingestion", status, 1, times=times))
        tenancy.once("--to", delivery.url)
        assert delivery.expect().keys() == shown(tenancy)
        counted = [request.status for request in delivery.azure.requests].count(status)
        assert counted == times


def test_health_rows(fluent_bit: str, tenancy: Tenancy) -> None:
    """Health rows reach their table as they were made."""
    tenancy.configure('[health]\ninterval = "1s"\n')
    with (
        Delivery(fluent_bit, tenancy, changes=QUICK) as delivery,
        tenancy.start("--to", delivery.url),
    ):
        received = delivery.azure.received
        until(lambda: received.counts().get(HEALTH.table, 0) >= 2 * len(NAMES))
        assert not any(received.losses.values())
    [row, *_] = map(msgspec.json.decode, received.lines[HEALTH.table])
    assert row["Console"] == "acme"
    assert "_table" not in row


def test_token_endpoint_refuses(fluent_bit: str, tenancy: Tenancy) -> None:
    """Every row arrives although no token can be had for a while."""
    tenancy.populate(10)
    with Delivery(fluent_bit, tenancy, changes=QUICK) as delivery:
        delivery.azure.faults.add(faults.refuse("token", 503, times=12))
        tenancy.once("--to", delivery.url)
        assert delivery.expect().keys() == shown(tenancy)


def test_token_endpoint_hangs(fluent_bit: str, tenancy: Tenancy) -> None:
    """A token request that hangs stops its own output only; after a restart every row arrives."""
    tenancy.populate(10)
    with Delivery(fluent_bit, tenancy, changes=QUICK) as delivery:
        delivery.azure.faults.add(faults.hang("token", 3600))
        tenancy.once("--to", delivery.url)
        until(lambda: len(delivery.azure.received.counts()) == len(TABLES) - 1)
        tenancy.world.new_activity()
        tenancy.once("--to", delivery.url)
        assert len(delivery.azure.received.counts()) < len(TABLES)
        delivery.shipper.kill()  # nothing else brings that output back
        delivery.shipper.start()
        assert delivery.expect().keys() == shown(tenancy)


def test_azure_hangs(fluent_bit: str, tenancy: Tenancy) -> None:
    """Requests that Azure does not answer end by `net.io_timeout`, and every row arrives."""
    tenancy.populate(10)
    changes = QUICK | {"net.io_timeout: 60s": "net.io_timeout: 2s"}
    with Delivery(fluent_bit, tenancy, changes=changes) as delivery:
        delivery.azure.faults.add(faults.hang("ingestion", 3600, times=5))
        tenancy.once("--to", delivery.url)
        assert delivery.expect().keys() == shown(tenancy)


def test_buffers_are_full(fluent_bit: str, tenancy: Tenancy) -> None:
    """A full Fluent Bit makes the source wait, and every row arrives when there is room."""
    tenancy.populate(40)
    tenancy.configure(page_size=10)
    changes = QUICK | {"storage.max_chunks_up: 512": "storage.max_chunks_up: 6"}
    with Delivery(fluent_bit, tenancy, changes=changes) as delivery:
        delivery.azure.stop()
        with tenancy.start("--to", delivery.url) as running:
            running.wait_for("handover_waits")
            delivery.azure.start()
            delivery.expect()
            assert running.stop() == 0


def grows(delivery: Delivery, number: int) -> bool:
    """Whether there are more rows than these by now."""
    return delivery.number() > number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stopped_or_reloaded_under_load(fluent_bit: str, tenancy: Tenancy, number: int) -> None:
    """Neither restarts nor reloads of the configuration lose a row."""
    tenancy.populate(50)
    with Delivery(fluent_bit, tenancy, changes=QUICK) as delivery:
        with living(tenancy.world, 0.01), tenancy.start("--to", delivery.url) as running:
            for _ in range(4):
                until(partial(grows, delivery, delivery.number()))
                if number == signal.SIGTERM:
                    assert delivery.shipper.stop() == 0
                    delivery.shipper.start()
                else:
                    delivery.shipper.reload()
            assert running.stop() == 0
        tenancy.once("--to", delivery.url)
        delivery.expect()


def test_a_table_without_an_output(fluent_bit: str, tenancy: Tenancy) -> None:
    """Rows with a tag that no output takes are kept in a file."""
    with Delivery(fluent_bit, tenancy) as delivery:
        body = b'{"_table":"Other_CL","n":1}\n'
        head = {"Content-Type": "application/json"}
        for tag in ("sentinelone.other.1", "threats", "sentinelone.threatsx.1"):
            requests.post(delivery.url + tag, body, headers=head, timeout=30).raise_for_status()
        kept = delivery.folder / "buffers" / "unrouted.ndjson"
        until(lambda: kept.exists() and kept.read_bytes() == 3 * body)


def test_secret_from_a_file(fluent_bit: str, tenancy: Tenancy) -> None:
    """A client secret is read from its file, without the line end."""
    tenancy.populate(3)
    changed("http.yaml", tenancy.folder, {})
    secret = tenancy.folder / "client-secret"
    changes = {"file:///run/secrets/azure/client-secret": f"file://{secret}"}
    with_file = Delivery(
        fluent_bit, tenancy, "secret-file-http.yaml", changes, AZURE_CLIENT_SECRET=""
    )
    secret.write_text(with_file.azure.behaviour.client_secret + "\n")
    with with_file as delivery:
        tenancy.once("--to", delivery.url)
        assert delivery.expect().keys() == shown(tenancy)
