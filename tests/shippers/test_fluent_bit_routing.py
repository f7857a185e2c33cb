"""A first inventory that comes at once, while Azure is away: what is lost, by the way it is split.

exec.yaml is as it is because of these figures, and docs/how-to/fluent-bit.md has them; run with
--log-cli-level=info to see them.
"""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from shippers import routing
from shippers.arrivals import rows_of
from shippers.delivery import Delivery
from support.tenancy import NAMES, TABLES, Tenancy, table_of
from support.waiting import settled, until

pytestmark = [pytest.mark.shippers, pytest.mark.timeout(1800)]
BURST = 20_000
IDLE = 10.0
"""Seconds without a row: the rest does not come any more."""


class Way(NamedTuple):
    """A configuration, and whether there are rows that never arrive, also after a SIGKILL."""

    configuration: Callable[[Path], str]
    loses: bool
    loses_killed: bool


SHIPPED = Way(routing.one_poller, loses=False, loses_killed=False)
OTHERS = [
    Way(routing.rewrite_tag, loses=True, loses_killed=True),
    Way(routing.rewrite_tag_on_disk, loses=True, loses_killed=True),
    Way(routing.rewrite_tag_without_limit, loses=True, loses_killed=True),  # too large for Azure
    Way(routing.routes, loses=False, loses_killed=True),
    Way(routing.one_exec_a_table, loses=False, loses_killed=False),
]
WAYS = [SHIPPED, *(pytest.param(way, marks=pytest.mark.slow) for way in OTHERS)]


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.configuration.__name__)
def test_burst(fluent_bit: str, tenancy: Tenancy, way: Way, killed: bool) -> None:
    """A burst loses no row with exec.yaml or one poller a table, also when killed; others may."""
    wanted = write_rows(tenancy)
    configuration = tenancy.folder / "routing.yaml"
    text = way.configuration(tenancy.folder)
    configuration.write_text(text)
    with Delivery(fluent_bit, tenancy, "exec.yaml", instead=configuration) as delivery:
        delivery.azure.stop()
        bursts = text.count(routing.BURST.name)
        until(lambda: len([*tenancy.folder.glob("*.written")]) == bursts)
        settled(delivery.stored, 2.0)
        if killed:
            delivery.shipper.kill()
        delivery.azure.start()
        if killed:
            delivery.shipper.start()
        settled(delivery.number, IDLE)
        missing = len(wanted - delivery.arrived().keys())
        largest = max((request.plain for request in delivery.azure.requests), default=0)
    name = way.configuration.__name__ + (", killed" if killed else "")
    figures = f"{missing} of {len(wanted)} missing, largest request before gzip {largest:,} bytes"
    logging.getLogger(__name__).info("%s: %s", name, figures)
    assert missing == 0 or (way.loses_killed if killed else way.loses), figures


def write_rows(tenancy: Tenancy) -> set[str]:
    """The burst, as one file and as one of each table; gives what is to arrive of it."""
    tenancy.populate(BURST // len(NAMES))
    lines = list(tenancy.shown())
    random.Random(5).shuffle(lines)
    tables = defaultdict(list)
    for line in lines:
        tables[table_of(line)].append(line)
    files = {name: tables[table] for name, table in TABLES.items()} | {routing.ONE: lines}
    for name, content in files.items():
        (tenancy.folder / name).write_bytes(b"".join(line + b"\n" for line in content))
    return rows_of(set(lines))
