"""Health rows of the real program: what they say, and that nothing waits for them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from doubles import faults
from doubles.in_http import InHttp, status
from sentinelone_source.demo.dce.ingestion import Losses, built_in_streams, fitted
from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.spec.files import HEALTH, health_table, load_mappings
from support.tenancy import NAMES, OTHER, TABLES, TOKEN, Tenancy
from support.waiting import until

Rows = list[dict[str, Any]]
HEALTH_ROWS = '[health]\ninterval = "200ms"\n'
COLUMNS = [column.name for column in HEALTH.columns]
TAG = "sentinelone.health"


def sums(rows: Rows, column: str) -> Counter[str]:
    """What the rows of each feed have counted together."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row["Feed"]] += row[column]
    return found


def every(number: int) -> Counter[str]:
    """So many of each feed."""
    return Counter(dict.fromkeys(NAMES, number))


def test_rows_over_http(tenancy: Tenancy, shipper: InHttp) -> None:
    """Each feed has rows that fit the table, and whose counts add up to what was handed over."""
    tenancy.populate(4)
    tenancy.world.insert("groups", b'{"id":null,"name":"nobody"}')
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=40)
    tenancy.console.behaviour.token_expires = expires
    tenancy.configure(HEALTH_ROWS, interval="1h")
    with tenancy.start("--to", shipper.url) as running:
        running.wait_for("swept", count=5)
        until(lambda: sums(shipper.stored(TAG), "Rows") == every(4), "all rows are counted")
        until(lambda: "TokenExpires" in shipper.stored(TAG)[-1], "the console has said it")
        until(lambda: {row["Status"] for row in shipper.stored(TAG)[-5:]} == {"up to date"})
        assert running.stop() == 0
    rows, losses = shipper.stored(TAG), Losses()
    [stream] = [one for one in built_in_streams() if one.table == HEALTH.table]
    for row in rows:
        assert row.pop("_table") == HEALTH.table
        assert list(row) == [name for name in COLUMNS if name in row]
        fitted(row, stream, losses, keep_times=True)
    assert [kind for kind, counts in losses.items() if counts] == []
    sent = {name: shipper.stored(f"sentinelone.{name}.") for name in NAMES}
    assert sums(rows, "Bytes") == {
        name: sum(len(msgspec.json.encode(row)) + 1 for row in its) for name, its in sent.items()
    }
    assert sums(rows, "DeadLetters") == Counter(groups=1)
    last = {row["Feed"]: row for row in rows}
    for name, row in last.items():
        assert (row["Console"], row["Table"], row["Status"]) == ("acme", TABLES[name], "up to date")
        assert (row["BehindSeconds"], "LastError" in row) == (0, False)
        assert datetime.fromisoformat(row["TokenExpires"]) == expires
        assert datetime.fromisoformat(row["LastSuccess"]) <= datetime.now(UTC)


def test_rows_on_stdout(tenancy: Tenancy) -> None:
    """On stdout health rows are lines among the others; a console's refusal is in them."""
    tenancy.populate(2)
    tenancy.console.faults.add(faults.forbidden("groups", times=None))
    tenancy.configure(HEALTH_ROWS, interval="1h")

    def refused() -> Rows:
        lines = (msgspec.json.decode(line) for line in running.lines)
        return [line for line in lines if line.get("Status") == "refused"]

    with tenancy.start() as running:
        until(lambda: len(refused()) > 1, "the refusal is told twice")
        assert running.stop() == 0
    assert {(row["_table"], row["Feed"]) for row in refused()} == {(HEALTH.table, "groups")}
    assert all("4030010" in row["LastError"] for row in refused())
    assert TOKEN not in bytes(running.out).decode()


def test_what_is_late_or_unchanged_or_behind(tenancy: Tenancy, shipper: InHttp) -> None:
    """Late rows and repeated ones are counted; a feed that cannot be read says how far it is."""
    world = tenancy.world
    world.populate(over=timedelta(minutes=30), agents=1)
    tenancy.configure(
        f'{HEALTH_ROWS}[feeds.agents]\nheartbeat = "24h"\n', interval="1h", lookback="2h"
    )
    tenancy.once("--to", shipper.url)
    [agent] = world.all("agents")
    now = world.now().isoformat()
    world.replace("agents", agent | {"updatedAt": now, "lastActiveDate": now})
    world.new_threat(late=timedelta(minutes=115))
    world.jump(timedelta(minutes=9))
    tenancy.console.faults.add(faults.bad_gateway("groups", times=None))

    def counted(column: str) -> Counter[str]:
        return sums(shipper.stored(TAG), column)

    with tenancy.start("--to", shipper.url) as running:
        until(lambda: counted("LateRows") == Counter(threats=1), "the late row")
        until(lambda: counted("SuppressedRows") == Counter(agents=1), "the report")
        until(lambda: counted("BehindSeconds")["groups"] > 0, "what cannot be read")
        assert running.stop() == 0


@pytest.mark.parametrize("arguments", [(), ("--once",)])
def test_off(tenancy: Tenancy, arguments: tuple[str, ...]) -> None:
    """There are no health rows by default, and none of `run --once`."""
    tenancy.populate(1)
    tenancy.configure(HEALTH_ROWS if arguments else "")
    with tenancy.start(*arguments) as running:
        running.wait_for("swept", count=5)
        running.stop()
    assert HEALTH.table.encode() not in running.out


def test_a_refused_row(tenancy: Tenancy, shipper: InHttp) -> None:
    """What a refused health row has counted is in a later one; the feeds go on meanwhile."""
    tenancy.populate(3)
    tenancy.configure(HEALTH_ROWS, interval="1h")
    shipper.refuses = b'"Feed":"threats"'
    with tenancy.start("--to", shipper.url) as running:
        running.wait_for("health_refused")
        running.wait_for("swept", count=5)
        assert sums(shipper.stored(TAG), "Rows")["threats"] == 0
        shipper.refuses = b""
        until(lambda: sums(shipper.stored(TAG), "Rows") == every(3), "all rows are counted")
        assert running.stop() == 0


def test_a_shipper_that_takes_no_health_rows(tenancy: Tenancy) -> None:
    """Health rows that are not taken delay neither a feed nor the end of the process."""
    tenancy.populate(3)
    tenancy.configure(HEALTH_ROWS)
    with (
        InHttp([status(TAG, 503, times=None)]) as shipper,
        tenancy.start("--to", shipper.url) as running,
    ):
        running.wait_for("handover_retry", feed="health")
        running.wait_for("swept", count=10)
        assert running.stop() == 0
        assert len(shipper.stored()) == 15


def test_a_tag_for_each_console(tenancy: Tenancy, shipper: InHttp) -> None:
    """Where tags or all tables have the console, its health rows do, too."""
    text = tenancy.config.read_text()
    tag = '[handover]\ntag = "sentinelone.{console}.{mapping}"'
    columns = '[mappings.columns]\nTenant = { console = "name" }\n'
    tenancy.config.write_text(text.replace("[handover]", tag) + HEALTH_ROWS + columns)
    with tenancy.start("--to", shipper.url):
        until(lambda: bool(shipper.stored("sentinelone.acme.health.")), "health rows come")
        assert shipper.stored("sentinelone.acme.health.")[0]["Tenant"] == "acme"


@pytest.mark.parametrize(("name", "table"), [("health", "Other_CL"), ("other", HEALTH.table)])
def test_names_that_are_taken(name: str, table: str, tmp_path: Path) -> None:
    """A user's mapping cannot have the name or the table of the health rows."""
    (tmp_path / f"{name}.toml").write_text(OTHER.replace("Other_CL", table))
    with pytest.raises(ConfigError, match=rf"{name}.toml: {table}: .* health rows"):
        load_mappings(tmp_path)


def test_a_column_of_every_table_that_health_rows_have() -> None:
    """A column that differs from one of the health rows in case only, which Azure ignores."""
    columns = {"console": {"console": "name"}}
    assert [column.name for column in health_table(columns, "").columns] == COLUMNS
