"""Rows and dead letters to the rule: all of them, as they were made, once where nothing crashes."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import Raw

from doubles.azure_faults import AzureFault, lose_answer, refuse, reset, throttle
from doubles.in_http import InHttp
from doubles.world import World
from sentinelone_source.errors import ConfigError, SourceError
from sentinelone_source.handover.dead_letters import DeadLetter, DeadLetters
from sentinelone_source.mapping.rows.convert import fingerprint
from sentinelone_source.replay.sender import Interrupted
from sentinelone_source.timings import Timings
from support import dead_letters
from support.cloud import AzureTenancy
from support.replays import THREATS, arrived, plain, replay, replayed, written
from support.tenancy import TABLES, Tenancy


def test_rows_arrive_as_they_were_made(cloud: AzureTenancy) -> None:
    """Every row arrives in its table, and the summary counts it."""
    made = written(cloud.folder / "rows.ndjson")
    running = cloud.call("replay", "rows.ndjson")
    for table in TABLES.values():
        rows = [row for line in made if (row := json.loads(line)).pop("_table") == table]
        assert list(cloud.azure.rows[table]) == rows
        assert replayed(running)["rows"][table] == len(rows)
    assert not any(cloud.azure.losses.values())
    assert running.out == b""
    assert replayed(running)["refused"] == 0


def test_digits(cloud: AzureTenancy) -> None:
    """A row's members arrive byte for byte."""
    members = '"Name":"\u00fc\\u0000\\"","TotalAgents":12345678901234567890'
    row = f'{{"_table":"{TABLES["groups"]}",{members}}}\n'
    (cloud.folder / "rows.ndjson").write_text(row, encoding="utf-8")
    replay(cloud)
    (line,) = cloud.azure.received.lines[TABLES["groups"]]
    assert line.strip() == f"{{{members}}}".encode()


def test_again_is_not_twice(cloud: AzureTenancy) -> None:
    """The same command a second time sends what was added since; --restart sends everything."""
    rows = cloud.folder / "rows.ndjson"
    plain(rows, 30)
    replay(cloud)
    replay(cloud)
    assert set(arrived(cloud).values()) == {1}
    with rows.open("a") as file:
        file.write(f'{{"_table":"{THREATS}","ThreatName":"new"}}\n{{"_table":"{THREATS}","Thre')
    assert len(replay(cloud).events("incomplete_line")) == 1
    assert arrived(cloud)["new"] == 1
    with rows.open("a") as file:
        file.write('atName":"newer"}\n')
    replay(cloud)
    assert arrived(cloud)["newer"] == 1
    replay(cloud, restart=True)
    assert set(arrived(cloud).values()) == {2}


@pytest.mark.parametrize("done", ["to the end", "a part"])
@pytest.mark.parametrize("what", ["another file", "another rule"])
def test_what_was_remembered_of_something_else(cloud: AzureTenancy, what: str, done: str) -> None:
    """A checkpoint of another file or another rule is not used: the file is sent whole."""
    plain(cloud.folder / "rows.ndjson", 5)
    if done == "a part":  # of the first chunk, so that the offset is still 0
        with (cloud.folder / "rows.ndjson").open("a") as file:
            file.write(f'{{"_table":"{TABLES["groups"]}","Id":"1"}}\n')
        cloud.azure.faults.add(refuse("ingestion", 403, after=1))
        with pytest.raises(SourceError, match="Monitoring Metrics Publisher"):
            replay(cloud)
    else:
        replay(cloud)
    if what == "another file":
        plain(cloud.folder / "rows.ndjson", 9, size=501)
    else:
        cloud.azure.behaviour.dcr_id = "dcr-new"
        cloud.configure()
    assert replay(cloud).events("replay_begins_again")[0]["reason"] == what
    assert arrived(cloud)["4"] == 2


def test_damaged_checkpoint(cloud: AzureTenancy) -> None:
    """A checkpoint that cannot be read is an error that says how to begin again."""
    plain(cloud.folder / "rows.ndjson", 5)
    (cloud.folder / "rows.ndjson.replay-state").write_text("{")
    with pytest.raises(SourceError, match="--restart"):
        replay(cloud)
    assert not cloud.azure.requests


@pytest.mark.parametrize(
    "fault",
    [
        throttle("ingestion", times=2),
        throttle("ingestion", retry_after=1),
        *(refuse("ingestion", status) for status in (401, 408, 500, 502, 503)),
        reset("ingestion"),
        refuse("token", 503),
        reset("token"),
    ],
    ids=repr,
)
def test_passing_trouble(cloud: AzureTenancy, fault: AzureFault) -> None:
    """A failure that passes loses no row and sends none twice."""
    plain(cloud.folder / "rows.ndjson", 40)
    cloud.azure.faults.add(fault)
    running = replay(cloud)
    assert arrived(cloud) == Counter(map(str, range(40)))
    assert running.events("retry") or "401" in str(fault)


def test_lost_answer(cloud: AzureTenancy) -> None:
    """Rows whose answer was lost are sent again."""
    plain(cloud.folder / "rows.ndjson", 4)
    cloud.azure.faults.add(lose_answer("ingestion"))
    replay(cloud)
    assert arrived(cloud) == Counter(dict.fromkeys("0123", 2))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"has_role": False}, SourceError, "Monitoring Metrics Publisher"),
        ({"dcr_id": "dcr-other"}, ConfigError, "azure.dcr_immutable_id"),
        ({"audience": "https://monitor.azure.us"}, ConfigError, "azure.cloud"),
        ({"client_secret": "other"}, ConfigError, "the client secret is wrong"),
        ({"tenant_id": "other"}, ConfigError, "does not know tenant_id"),
    ],
)
def test_refusals(
    cloud: AzureTenancy, change: dict[str, Any], error: type[SourceError], said: str
) -> None:
    """A wrong id, role or secret ends the replay at once, and costs no row."""
    plain(cloud.folder / "rows.ndjson", 4)
    for name, value in change.items():
        setattr(cloud.azure.behaviour, name, value)
    with pytest.raises(error, match=said):
        replay(cloud)
    assert not (cloud.folder / "rows.ndjson.refused.ndjson").exists()
    for name in change:
        setattr(cloud.azure.behaviour, name, getattr(type(cloud.azure.behaviour)(), name, ""))
    cloud.azure.behaviour.client_secret = (cloud.folder / "secret").read_text().strip()
    replay(cloud)
    assert arrived(cloud) == Counter("0123")


def test_too_long_is_split(cloud: AzureTenancy) -> None:
    """A body that is too long is halved, and only the row at fault is refused."""
    plain(cloud.folder / "rows.ndjson", 60)
    with (cloud.folder / "rows.ndjson").open("a") as file:
        noise = Random(3).randbytes(1_200_000).hex()
        file.write(f'{{"_table":"{THREATS}","ThreatName":"big","Username":"{noise}"}}\n')
    cloud.azure.faults.add(refuse("ingestion", 413, times=3))
    running = replay(cloud)
    assert arrived(cloud) == Counter(map(str, range(60)))
    [letter] = dead_letters.read(cloud.folder, "rows.ndjson.refused.ndjson")
    assert letter["reason"].startswith("HTTP 413, ContentLengthLimitExceeded")
    assert letter["row"]["ThreatName"] == "big"
    assert replayed(running)["refused"] == 1
    assert replayed(running)["requests"] == len(cloud.azure.requests)


def test_refused_rows_can_be_replayed(cloud: AzureTenancy) -> None:
    """The file of refused rows is delivered by another replay."""
    plain(cloud.folder / "rows.ndjson", 1)
    cloud.azure.faults.add(refuse("ingestion", 413))
    replay(cloud)
    replay(cloud, "rows.ndjson.refused.ndjson")
    assert arrived(cloud) == {"0": 1}


def test_lines_that_are_no_rows(cloud: AzureTenancy) -> None:
    """A line that is neither a row nor a dead letter is kept with its reason; others are sent."""
    bad = [
        b"nonsense",
        b"[1]",
        b'{"a":1}',
        b'{"_table":"Other_CL","a":1}',
        b'{"_table":7}',
        b"\xff",
    ]
    good = b'{"_table":"%b","ThreatName":"good"}' % THREATS.encode()
    (cloud.folder / "rows.ndjson").write_bytes(b"\n".join([*bad, b"", good, b"   ", good, b""]))
    running = cloud.call("replay", "rows.ndjson", "--refused", "aside.ndjson", status=1)
    assert arrived(cloud) == {"good": 2}
    kept = dead_letters.read(cloud.folder, "aside.ndjson")
    assert len(kept) == len(bad)
    assert all(line["reason"] and line["time"] for line in kept)
    assert "6 could not be delivered" in running.events("failed")[0]["error"]
    assert replayed(replay(cloud, "aside.ndjson"))["refused"] == len(bad)


def test_dead_letters(cloud: AzureTenancy) -> None:
    """Dead letters are mapped again, and what stays dead gets its new reason."""
    world = World(seed=5)
    world.populate(over=timedelta(hours=1), groups=3)
    record = world.all("groups")[0]
    deep = b'{"id":' + b"[" * 3000 + b"]" * 3000 + b"}"
    unfit = {**record, "updatedAt": "never", "name": "unfit"}
    raws = (json.dumps(record).encode(), json.dumps(unfit).encode(), deep, b"not json")
    dead_letters.write(cloud.folder, TABLES["groups"], *raws, b'{"id":"1"},{"id":"2"}')
    running = replay(cloud, "dead-letters.ndjson")
    (row,) = cloud.azure.rows[TABLES["groups"]]
    assert row["Name"] == record["name"]
    kept = dead_letters.read(cloud.folder, "dead-letters.ndjson.refused.ndjson")
    assert [letter["table"] for letter in kept] == [TABLES["groups"]] * 4
    assert all(letter["console"] == "acme" and "record" in letter for letter in kept)
    assert not any("another" in letter["reason"] for letter in kept)
    assert replayed(running)["rows"] == {TABLES["groups"]: 1}


def test_from_the_shipper_and_the_console_to_azure(
    tenancy: Tenancy, cloud: AzureTenancy, tmp_path: Path
) -> None:
    """A refused row is delivered as it was, a broken record by a corrected mapping, each once."""
    tenancy.populate(2)
    group = tenancy.world.all("groups")[0]
    unfit = {**group, "id": "unfit", "name": "unfit", "updatedAt": "never"}
    tenancy.world.insert("groups", json.dumps(unfit).encode())
    with InHttp(refuses=fingerprint(group["registrationToken"]).encode()) as shipper:
        tenancy.configure()
        tenancy.once("--to", shipper.url)
    letters = dead_letters.read(tenancy.state)
    [row] = [letter["row"] for letter in letters if "row" in letter]
    [record] = [letter["record"] for letter in letters if "record" in letter]
    assert row["RegistrationToken"] == fingerprint(group["registrationToken"])
    assert record["registrationToken"] == fingerprint(group["registrationToken"])
    mine = tmp_path / "mappings" / "groups.toml"
    mine.write_text(f'table = "{TABLES["groups"]}"\n[walk]\nposition = "$.createdAt"\n')
    cloud.config = tmp_path / "azure.toml"
    cloud.configure(before='[mappings]\npath = "mappings"')
    for _ in range(2):
        cloud.call("replay", tenancy.state / "dead-letters.ndjson")
    arrived_row, mapped = sorted(cloud.azure.rows[TABLES["groups"]], key=itemgetter("Id"))
    assert {"_table": TABLES["groups"], **arrived_row} == row
    assert (mapped["Name"], mapped["RegistrationToken"]) == ("unfit", row["RegistrationToken"])


def test_rotated_while_it_is_replayed(cloud: AzureTenancy) -> None:
    """Dead letters written and rotated during a replay are delivered once."""
    plain(cloud.folder / "dead-letters.ndjson", 3000)
    cloud.azure.faults.add(throttle("ingestion", retry_after=600, after=1))
    with cloud.start("replay", "dead-letters.ndjson") as running:
        running.wait_for("retry")
        letters = DeadLetters(cloud.folder, rotate_at=1)
        letters.write([DeadLetter(table=THREATS, row=Raw(b'{"ThreatName":"new"}'))])
        assert running.stop() == 1
    cloud.azure.faults.clear()
    for _ in range(2):
        cloud.call("replay", "dead-letters-0001.ndjson", "dead-letters.ndjson")
    assert arrived(cloud) == Counter([*map(str, range(3000)), "new"])


def test_refused_once(cloud: AzureTenancy) -> None:
    """A replay that is repeated after a failure refuses a record once."""
    records = [b'{"id":"1","updatedAt":"%b"}' % at for at in (b"never", b"2026-01-01T00:00:00Z")]
    dead_letters.write(cloud.folder, TABLES["groups"], *records)
    cloud.azure.behaviour.has_role = False
    refused = cloud.folder / "dead-letters.ndjson.refused.ndjson"
    for _ in range(2):
        with pytest.raises(SourceError):
            replay(cloud, "dead-letters.ndjson")
        assert not refused.exists()
    cloud.azure.behaviour.has_role = True
    replay(cloud, "dead-letters.ndjson")
    assert len(refused.read_text().splitlines()) == 1


def test_records_that_the_mapping_drops(cloud: AzureTenancy) -> None:
    """A record that a [[drop]] removes is counted, and not refused."""
    (cloud.folder / "mappings").mkdir()
    (cloud.folder / "mappings" / "mine.toml").write_text(
        f'table = "{TABLES["groups"]}"\n[[drop]]\npath = "$.id"\nexists = true\n'
    )
    cloud.configure(before='[mappings]\npath = "mappings"')
    record = b'{"id":"1","updatedAt":"2026-01-01T00:00:00Z"}'
    dead_letters.write(cloud.folder, TABLES["groups"], record)
    account = replayed(replay(cloud, "dead-letters.ndjson"))
    assert (account["dropped"], account["refused"], account["rows"]) == (1, 0, {})


@pytest.mark.parametrize(
    ("age", "said"), [(timedelta(days=3), 1), (timedelta(days=-2), 1), (timedelta(days=1), 0)]
)
def test_old_rows(cloud: AzureTenancy, age: timedelta, said: int) -> None:
    """A warning says once that Azure will replace TimeGenerated of rows, and all are counted."""
    then = (datetime.now(UTC) - age).isoformat()
    (cloud.folder / "rows.ndjson").write_text(
        f'{{"_table":"{THREATS}","TimeGenerated":"{then}","ThreatName":"1"}}\n' * 3
    )
    running = replay(cloud)
    assert len(running.events("old_rows")) == said
    assert replayed(running)["old"] == 3 * said


def test_dry_run(cloud: AzureTenancy) -> None:
    """--dry-run needs no Azure, sends nothing and leaves no file."""
    made = written(cloud.folder / "rows.ndjson")
    with (cloud.folder / "rows.ndjson").open("a") as file:
        file.write("nonsense\n")
    cloud.azure.stop()
    before = set(cloud.folder.iterdir())
    running = cloud.call("replay", "--dry-run", "rows.ndjson", status=1)
    assert sum(replayed(running)["rows"].values()) == len(made)
    assert replayed(running)["refused"] == 1
    assert {path.name for path in set(cloud.folder.iterdir()) - before} == {"stderr-0"}


def test_refused_into_itself(cloud: AzureTenancy) -> None:
    """A replay does not write into the file that it reads."""
    (cloud.folder / "rows.ndjson").write_text("nonsense\n")
    with pytest.raises(ConfigError, match="name another one"):
        replay(cloud, refused=cloud.folder / "." / "rows.ndjson")


def test_checkpoint_that_cannot_be_kept(cloud: AzureTenancy) -> None:
    """When the checkpoint cannot be written, nothing is sent."""
    plain(cloud.folder / "rows.ndjson", 3)
    (cloud.folder / "rows.ndjson.replay-state.new").mkdir()
    with pytest.raises(SourceError, match=r"rows\.ndjson\.replay-state: cannot be written"):
        replay(cloud)
    assert not cloud.azure.requests


def test_plain_http_on_loopback(cloud: AzureTenancy) -> None:
    """An endpoint on loopback needs no TLS."""
    plain(cloud.folder / "rows.ndjson", 3)
    cloud.configure(endpoint=cloud.azure.plain.url)
    replay(cloud)
    assert arrived(cloud) == Counter("012")


def test_azure_stays_away(cloud: AzureTenancy) -> None:
    """A replay ends when Azure stays away, and says how to go on."""
    plain(cloud.folder / "rows.ndjson", 3)
    cloud.azure.faults.add(reset("ingestion", times=None))
    with pytest.raises(Interrupted, match=r"given up\. The same command continues from here"):
        replay(cloud, timings=Timings(replay_first_retry=0.05, replay_patience=0.3))
    assert not (cloud.folder / "rows.ndjson.refused.ndjson").exists()
    assert '"offset":0' in (cloud.folder / "rows.ndjson.replay-state").read_text()
