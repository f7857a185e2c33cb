"""`state`: look at watermarks, and move them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentinelone_source.feed.state.state import State
from sentinelone_source.mapping.spec.files import built_in_folder
from support.processes import logs_of
from support.tenancy import NAMES, lines, mapper_of
from support.waiting import until

if TYPE_CHECKING:
    from cli.conftest import Call
    from support.tenancy import Tenancy


def shown(call: Call) -> dict[str, dict[str, object]]:
    """What `state show` says, by feed."""
    lines = call("state", "show", "--json").stdout.splitlines()
    return {line["feed"]: line for line in map(json.loads, lines)}


def test_show_while_running(tenancy: Tenancy, call: Call) -> None:
    """The state can be looked at while a poller works on it."""
    tenancy.populate(4)
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        until(lambda: all(feed["last_sweep"] for feed in shown(call).values()), "a commit")
        feeds = shown(call)
        assert running.stop() == 0
    assert sorted(feeds) == ["activities", "agents", "alerts", "groups", "threats"]
    for feed in feeds.values():
        assert feed["console"] == "acme"
        assert feed["keys"] in range(1, 5)
        assert feed["watermark"]
        assert feed["last_sweep"]
    table = call("state", "show").stdout.decode().splitlines()
    assert table[0].split() == ["console", "feed", "watermark", "last_sweep", "keys"]
    assert len(table) == 6


def test_show_without_a_state(tenancy: Tenancy, call: Call) -> None:
    """A look at nothing makes no state, and says that there is none."""
    done = call("state", "show", status=1)
    assert "no state yet" in logs_of(done.stderr.decode())[0]["error"]
    assert not tenancy.state.exists()


def test_a_mistyped_path_makes_no_state(tenancy: Tenancy, call: Call) -> None:
    """`rewind` and `reset` of a state that does not exist fail, and make none."""
    for words in (["rewind", "--to", "2026-01-01"], ["reset", "--yes"]):
        done = call("state", *words, status=1)
        assert "no state yet" in logs_of(done.stderr.decode())[0]["error"]
    assert not tenancy.state.exists()


def test_rewind(tenancy: Tenancy, call: Call) -> None:
    """After a rewind the rows from that moment on come again, and no others."""
    tenancy.populate(30)
    tenancy.once()
    moment = datetime.now(UTC) - timedelta(minutes=25)
    text = moment.isoformat()
    done = call("state", "rewind", "--table", "threats", "--to", text)
    assert done.stdout.decode().startswith("acme/threats: watermark ")
    again = tenancy.once().lines
    late = [
        line
        for line in tenancy.shown(["threats"])
        if datetime.fromisoformat(json.loads(line)["UpdatedAt"]) >= moment
    ]
    assert sorted(again) == sorted(late)
    assert 5 < len(late) < 20


def test_rewind_alerts(tenancy: Tenancy, call: Call) -> None:
    """A rewound feed with re-scans hands over rows from before its start, too."""
    tenancy.populate(30)
    tenancy.configure(start="10m")
    first = tenancy.once("--table", "alerts").lines
    moment = datetime.now(UTC) - timedelta(minutes=30)
    call("state", "rewind", "--table", "SentinelOneAlerts_CL", "--to", moment.isoformat())
    again = tenancy.once("--table", "alerts").lines
    assert set(first) < set(again)
    assert 10 < len(again) < 20


def test_rewind_of_every_feed(tenancy: Tenancy, call: Call) -> None:
    """Feeds that were never swept are rewound with the others; nothing older is handed over."""
    tenancy.populate(30)
    tenancy.once("--table", "threats")
    state = State(tenancy.state)
    for name in NAMES:
        state.feed("acme", name)
    state.close()
    moment = datetime.now(UTC) - timedelta(minutes=25)
    assert len(call("state", "rewind", "--to", moment.isoformat()).stdout.splitlines()) == 5
    again = tenancy.once()
    assert sorted(again.lines) == sorted(
        line
        for name in NAMES
        for record in tenancy.world.all(name)
        if _position(name, record) >= moment
        for line in lines(name, [record])
    )
    assert 50 < len(again.lines) < 100
    assert call("state", "rewind", "--to", "20m").stdout.count(b"watermark") == 5


def _position(name: str, record: dict[str, Any]) -> datetime:
    members = mapper_of(name).mapping.ordering.position.members
    text = reduce(lambda value, member: value[member], members, record)
    return datetime.fromisoformat(str(text))


def test_reset(tenancy: Tenancy, call: Call) -> None:
    """`reset` of one feed lets its rows come again, and no others."""
    tenancy.populate(4)
    tenancy.once()
    done = call("state", "reset", "--table", "groups", "--console", "acme", "--yes")
    assert done.stdout == b"forgotten: acme/groups\n"
    assert "groups" not in shown(call)
    assert set(tenancy.once().lines) == tenancy.shown(["groups"])


def test_reset_asks(tenancy: Tenancy, call: Call) -> None:
    """`reset` without --yes asks: `n` forgets nothing, `y` forgets every feed."""
    tenancy.once()
    call("state", "reset", given=b"n\n", status=1)
    assert len(shown(call)) == 5
    call("state", "reset", given=b"y\n")
    assert shown(call) == {}


def test_mistakes(tenancy: Tenancy, call: Call) -> None:
    """A wrong argument is an error that says what is wrong, and changes nothing."""
    tenancy.once()
    before = shown(call)
    for arguments, status, says in (
        (("rewind", "--to", "yesterday"), 2, "is not a timestamp"),
        (("rewind", "--to", "2099-01-01T00:00:00Z"), 1, "only be moved back"),
        (("rewind", "--to", "2020-01-01", "--table", "threads"), 2, "known: acme/activities"),
        (("rewind", "--to", "1h", "--table", "threats", "--table", "threads"), 2, "no such feed"),
        (("reset", "--yes", "--console", "other"), 2, "no such feed"),
    ):
        done = call("state", *arguments, status=status)
        assert says in logs_of(done.stderr.decode())[-1]["error"]
    assert shown(call) == before


def test_while_running(tenancy: Tenancy, call: Call) -> None:
    """`reset` beside a running poller ends with status 4 and names its process id."""
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        done = call("state", "reset", "--yes", status=4)
        assert f"pid {running.process.pid}" in done.stderr.decode()
        assert running.stop() == 0


def test_a_table_of_the_users_own(tmp_path: Path) -> None:
    """A feed of a user's own mapping can be named by its table."""
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    built_in = (built_in_folder() / "groups.toml").read_text()
    own = built_in.replace("SentinelOneGroups_CL", "TeamInventory_CL")
    (mappings / "teams.toml").write_text(own)
    (tmp_path / "config.toml").write_text('[state]\npath = "s"\n[mappings]\npath = "mappings"\n')
    state = State(tmp_path / "s")
    state.feed("acme", "teams")
    state.close()
    reset = [sys.executable, "-m", "sentinelone_source", "state", "reset", "--yes"]
    words = [*reset, "--table", "TeamInventory_CL"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "forgotten: acme/teams\n"
