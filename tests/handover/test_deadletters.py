"""Records that cannot become rows: once, with a reason, without secrets, beside the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sentinelone_source.errors import StateError
from sentinelone_source.handover.deadletters import DeadLetters

if TYPE_CHECKING:
    from pathlib import Path

    from support.tenancy import Tenancy

POISON = [
    b'{"id":"1","updatedAt":"not a time","registrationToken":"SECRET-1"}',
    b'{"id":"2","nested":{"licenseKey":"SECRET-2"}}',
    b'{"id":null,"updatedAt":"2026-03-01T00:00:00Z","passphrase":"SECRET \\" 3"}',
    b'{"id":"5","updatedAt":"2026-03-01T00:00:00Z","description":"%b"}' % (b"x" * 70_000),
    b'{"id":"6","updatedAt":12,"apiToken": "SECRET-4"}',
    b'{"id":"7","updatedAt":"2026-03-01T00:00:00Z","rank":NaN,"registrationToken":"SECRET-5"}',
]


def dead(folder: Path) -> list[dict[str, Any]]:
    """The dead letters of a state directory."""
    text = (folder / "dead-letters.ndjson").read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_through_the_whole_process(tenancy: Tenancy) -> None:
    """One poisoned record stops its feed, or comes back with every sweep, or takes others along."""
    tenancy.populate(10)
    wanted = tenancy.shown()
    for record in POISON:
        tenancy.world.insert("groups", record)
    running = tenancy.once()
    letters = dead(tenancy.state)
    assert wanted <= set(running.lines)
    assert len(letters) == 5
    for letter in letters:
        assert {"time", "console", "table", "reason", "record"} == letter.keys()
        assert (letter["console"], letter["table"]) == ("acme", "SentinelOneGroups_CL")
        assert letter["reason"]
    everything = (tenancy.state / "dead-letters.ndjson").read_text() + running.errors
    assert "SECRET" not in everything
    assert everything.count("[redacted]") == 5
    (swept,) = [line for line in running.events("swept") if line["feed"] == "groups"]
    assert (swept["dead"], swept["rows"]) == (5, 11)
    again = tenancy.once()
    assert again.lines == []
    assert len(dead(tenancy.state)) == 5


def test_dead_stay_dead_in_one_process(tenancy: Tenancy) -> None:
    """A process that runs for days fills the disk with one dead letter."""
    tenancy.world.insert("groups", POISON[1])
    with tenancy.start() as running:
        running.wait_for("swept", count=4, feed="groups")
        assert running.stop() == 0
    assert len(dead(tenancy.state)) == 1
    assert sum(line.get("dead", 0) for line in running.events("swept")) == 1


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b'{"a":1}', {"a": 1}),
        (b'{"token":"x\\"y","b":"token"}', {"token": "[redacted]", "b": "token"}),
        (b'{"site":{"LicenceKey" : "k"}}', {"site": {"LicenceKey": "[redacted]"}}),
        (b'{"n":12345678901234567890123}', None),
        (b'{"broken', '{"broken'),
        (b"\xff", "\ufffd"),
    ],
)
def test_record(tmp_path: Path, raw: bytes, kept: object) -> None:
    """A record is kept as something else, or not at all."""
    DeadLetters(tmp_path).add("acme", "T_CL", "why", raw)
    (letter,) = dead(tmp_path)
    assert kept is None or letter["record"] == kept


def test_very_deep(tmp_path: Path) -> None:
    """A record too deep for a JSON reader ends the process."""
    DeadLetters(tmp_path).add("acme", "T_CL", "why", b"[" * 50_000 + b"]" * 50_000)
    assert len(dead(tmp_path)) == 1


def test_cannot_be_kept(tmp_path: Path) -> None:
    """A dead letter that cannot be kept is lost without a word."""
    (tmp_path / "dead-letters.ndjson").mkdir()
    with pytest.raises(StateError, match="cannot be written"):
        DeadLetters(tmp_path).add("acme", "T_CL", "why", b"{}")
