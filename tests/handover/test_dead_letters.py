"""Dead letters are written once, with a reason, without secrets, and hold nothing else up."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from sentinelone_source.errors import StateError
from sentinelone_source.handover.dead_letters import DeadLetter, DeadLetters
from sentinelone_source.mapping.rows.convert import fingerprint
from support.dead_letters import read, write
from support.scraping import Scraper, listening

if TYPE_CHECKING:
    from pathlib import Path

    from support.tenancy import Tenancy

POISON = [
    b'{"id":"1","updatedAt":"not a time","registrationToken":"SECRET-1"}',
    b'{"id":"1","updatedAt":"still not","registrationToken":"SECRET-1"}',
    b'{"id":null,"updatedAt":"2026-03-01T00:00:00Z","passphrase":"SECRET \\" 3"}',
    b'{"id":"5","updatedAt":"2026-03-01T00:00:00Z","description":"%b"}' % (b"x" * 70_000),
    b'{"id":"6","updatedAt":12,"apiToken": "SECRET-1"}',
    b'{"id":"7","updatedAt":"2026-03-01T00:00:00Z","rank":NaN,"registrationToken":"SECRET-5"}',
]


def test_through_the_whole_process(tenancy: Tenancy) -> None:
    """A broken record is written once, also when its bytes change, and its feed goes on."""
    tenancy.populate(10)
    wanted = tenancy.shown()
    for record in POISON:
        tenancy.world.insert("groups", record)
    running = tenancy.once()
    letters = read(tenancy.state)
    assert wanted <= set(running.lines)
    parsed = [letter["record"] for letter in letters if isinstance(letter["record"], dict)]
    records = {record["id"]: record for record in parsed}
    assert (len(letters), set(records)) == (4, {"1", None, "6"})
    for letter in letters:
        assert {"time", "console", "table", "reason", "record"} == letter.keys()
        assert (letter["console"], letter["table"]) == ("acme", "SentinelOneGroups_CL")
        assert letter["reason"]
    assert "SECRET" not in (tenancy.state / "dead-letters.ndjson").read_text() + running.errors
    assert records["1"]["registrationToken"] == fingerprint("SECRET-1")
    assert records[None]["passphrase"] == fingerprint('SECRET " 3')
    assert records["6"]["apiToken"] == fingerprint("SECRET-1")
    (swept,) = [line for line in running.events("swept") if line["feed"] == "groups"]
    assert (swept["dead"], swept["rows"]) == (4, 11)
    tenancy.world.insert("groups", POISON[0].replace(b"not a time", b"never"))
    again = tenancy.once()
    assert again.lines == []
    assert len(read(tenancy.state)) == 4


def test_dead_stay_dead_in_one_process(tenancy: Tenancy) -> None:
    """Later sweeps of one process do not write the same dead letter again."""
    tenancy.world.insert("groups", POISON[0])
    with tenancy.start() as running:
        running.wait_for("swept", count=4, feed="groups")
        assert running.stop() == 0
    assert len(read(tenancy.state)) == 1
    assert sum(line.get("dead", 0) for line in running.events("swept")) == 1


def test_a_disk_that_hangs(tenancy: Tenancy) -> None:
    """While 1,000 dead letters wait for the disk, other feeds are swept and probes answered."""
    tenancy.populate(3)
    for number in range(1000):
        tenancy.world.insert("groups", b'{"id":"broken-%d"}' % number)
    listening(tenancy)
    tenancy.state.mkdir()
    os.mkfifo(tenancy.state / "dead-letters.ndjson")  # opening it waits until somebody reads it
    with tenancy.start() as running:
        for feed in ("activities", "agents", "alerts", "threats"):
            running.wait_for("swept", feed=feed, count=2)
        assert Scraper(running).get("/healthz").status_code == 200
        assert not [line for line in running.events("swept") if line["feed"] == "groups"]


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b'{"a" : 1}', b'{"a":1}'),
        (b'{"n":12345678901234567890123.10}', b'{"n":12345678901234567890123.10}'),
        (b'{"broken', b'"{\\"broken"'),
        (b"\xff", '"\ufffd"'.encode()),
        (b"[" * 50_000 + b"]" * 50_000, b'"' + b"[" * 50_000 + b"]" * 50_000 + b'"'),
    ],
    ids=["JSON", "digits", "no JSON", "no text", "deep"],
)
def test_record(tmp_path: Path, raw: bytes, kept: bytes) -> None:
    """A record is kept digit for digit, and as text if it is not JSON."""
    write(tmp_path, "T_CL", raw)
    assert (tmp_path / "dead-letters.ndjson").read_bytes().endswith(b',"record":' + kept + b"}\n")


def test_rotation(tmp_path: Path) -> None:
    """A file that is full is kept under a number, with what `replay` remembers of it."""
    letters = DeadLetters(tmp_path, rotate_at=1)
    for number in range(3):
        letters.write([DeadLetter(table="T_CL", reason=str(number), line="x")])
        (tmp_path / "dead-letters.ndjson.replay-state").write_text(str(number))
    names = ["dead-letters-0001.ndjson", "dead-letters-0002.ndjson", "dead-letters.ndjson"]
    assert [path.name for path in letters.sizes] == names
    for number, name in enumerate(names):
        assert read(tmp_path, name)[0]["reason"] == str(number)
        assert (tmp_path / f"{name}.replay-state").read_text() == str(number)


def test_torn_line(tmp_path: Path) -> None:
    """A line that a crash cut short does not spoil the next one."""
    (tmp_path / "dead-letters.ndjson").write_text('{"time":"2026-')
    write(tmp_path, "T_CL", b"{}")
    assert (
        json.loads((tmp_path / "dead-letters.ndjson").read_text().splitlines()[1])["record"] == {}
    )


def test_cannot_be_kept(tmp_path: Path) -> None:
    """A dead letter that cannot be written is an error."""
    (tmp_path / "dead-letters.ndjson").mkdir()
    with pytest.raises(StateError, match="cannot be written"):
        write(tmp_path, "T_CL", b"{}")
