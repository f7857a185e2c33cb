"""SIGKILL of Fluent Bit and of the source at any moment, while the tenant lives on."""

from __future__ import annotations

import logging
import os
import random
import signal
from collections import Counter
from contextlib import ExitStack, suppress

import pytest

from shippers.arrivals import shown
from shippers.delivery import EXEC, QUICK, Delivery, pause
from support.living import living
from support.processes import Running
from support.tenancy import NAMES, Tenancy
from support.waiting import settled, until

pytestmark = [pytest.mark.shippers, pytest.mark.timeout(1800)]
KILLS = [pytest.param(3, 5), pytest.param(20, 6, marks=pytest.mark.slow)]


def report(what: str, kills: int, missing: int, arrived: Counter[str]) -> None:
    """The figures, for those who run with --log-cli-level=info."""
    again = sum(arrived.values()) - len(arrived)
    figures = f"{kills} kills, {len(arrived)} rows, {missing} missing, {again} twice"
    logging.getLogger(__name__).info("%s: %s", what, figures)


@pytest.mark.parametrize(("kills", "seed"), KILLS)
@pytest.mark.parametrize("victim", ["Fluent Bit", "the source", "both"])
def test_over_http(fluent_bit: str, tenancy: Tenancy, victim: str, kills: int, seed: int) -> None:
    """Whichever side is killed, every row arrives."""
    tenancy.populate(300)
    tenancy.configure(page_size=50)
    rng = random.Random(seed)
    with Delivery(fluent_bit, tenancy, changes=QUICK) as delivery, ExitStack() as sources:

        def source() -> Running:
            return sources.enter_context(tenancy.start("--to", delivery.url))

        running = source()
        with living(tenancy.world, 0.01):
            for _ in range(kills):
                if rng.random() < 0.7:
                    running.wait_for("started")
                pause(rng, 1.0)
                if victim != "the source":
                    delivery.shipper.kill()
                if victim != "Fluent Bit":
                    running.process.kill()
                    running = source()
                if victim != "the source":
                    pause(rng, 0.5)
                    delivery.shipper.start()
        running.wait_for("started")
        assert running.stop() == 0
        tenancy.once("--to", delivery.url)
        arrived = delivery.expect()
        report(f"http, {victim}", kills, len(shown(tenancy) - arrived.keys()), arrived)
        delivery.check_requests()


def live_through(kills: int, victim: str, delivery: Delivery, rng: random.Random) -> None:
    """Kill Fluent Bit, or its poller, again and again, while the tenant lives on."""

    def seen(event: str) -> int:
        return delivery.shipper.said.count(f'"event":"{event}"')

    with living(delivery.tenancy.world, 0.01):
        for _ in range(kills):
            event = rng.choice(["started", "swept"])  # a kill before either hits no row
            before = seen(event)
            until(lambda event=event, before=before: seen(event) > before)  # type: ignore[misc]
            pause(rng, 2.0)
            if victim == "the poller":
                for poller in delivery.pollers():
                    with suppress(ProcessLookupError):
                        os.kill(poller, signal.SIGKILL)
            else:
                delivery.shipper.kill()
                delivery.shipper.start()
    before = seen("swept")
    until(lambda: seen("swept") >= before + 2 * len(NAMES), limit=300)


@pytest.mark.parametrize(("kills", "seed"), KILLS)
def test_over_exec_without_settle(fluent_bit: str, tenancy: Tenancy, kills: int, seed: int) -> None:
    """Without `settle`, what is written after the last kill arrives; other losses are logged."""
    tenancy.populate(300)
    tenancy.configure(page_size=50, settle="0s")
    rng = random.Random(seed)
    with Delivery(fluent_bit, tenancy, "exec.yaml", EXEC) as delivery:
        live_through(kills, "Fluent Bit", delivery, rng)
        settled(delivery.number, 10.0)
        arrived, before = delivery.arrived(), shown(tenancy)
        report("exec without settle, Fluent Bit", kills, len(before - arrived.keys()), arrived)
        tenancy.world.new_threat()
        delivery.expect(shown(tenancy) - before)


@pytest.mark.parametrize(("kills", "seed"), KILLS)
@pytest.mark.parametrize("victim", ["Fluent Bit", "the poller"])
def test_over_exec(fluent_bit: str, tenancy: Tenancy, victim: str, kills: int, seed: int) -> None:
    """With `settle`, every row arrives although Fluent Bit or its poller is killed."""
    tenancy.populate(300)
    tenancy.configure(page_size=50, settle="30s")
    rng = random.Random(seed)
    with Delivery(fluent_bit, tenancy, "exec.yaml", EXEC) as delivery:
        live_through(kills, victim, delivery, rng)
        arrived = delivery.expect()
        report(f"exec, {victim}", kills, len(shown(tenancy) - arrived.keys()), arrived)
        delivery.check_requests()
