"""What must not be seen: tokens, wherever they might slip out; and noise on stdout or stderr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doubles import faults
from sentinelone_source.demo.http_server import Answer
from support.tenancy import TOKEN
from support.waiting import until

if TYPE_CHECKING:
    from support.tenancy import Tenancy

SECRET = "eyJsaWNlbmNlIjoiMTIzNDU2In0"
TROUBLE = [
    faults.forbidden("groups", html=True),
    faults.throttle("agents", retry_after=0),
    faults.reset("alerts"),
    faults.redirect("activities", location=f"/login?token={TOKEN}"),
    faults.broken_gzip("activities"),
    faults.login_page("activities"),
]


def test_token_is_seen_nowhere(tenancy: Tenancy) -> None:
    """The token is in no log, row, command line or file of the state."""
    tenancy.populate(5)
    tenancy.console.faults.add(*TROUBLE)
    tenancy.world.insert("groups", b'{"id":7,"apiToken":"%b"}' % SECRET.encode())
    with tenancy.start() as running:
        running.wait_for("swept", feed="groups")
        running.wait_for("retry", count=3)
        command_line = Path(f"/proc/{running.process.pid}/cmdline").read_bytes()
        assert TOKEN.encode() not in command_line
        assert running.stop() == 0
    assert TOKEN not in running.errors
    assert TOKEN.encode() not in running.out
    files = [path for path in tenancy.state.rglob("*") if path.is_file()]
    assert {"state.sqlite", "dead-letters.ndjson"} <= {path.name for path in files}
    for path in files:
        assert TOKEN.encode() not in path.read_bytes(), path
        assert SECRET.encode() not in path.read_bytes(), path


def test_an_answer_that_repeats_the_token(tenancy: Tenancy) -> None:
    """A console that quotes the token in an error brings it into no log, page or row."""
    quoted = json.dumps({"errors": [{"code": 5000010, "title": "Error", "detail": TOKEN}]})
    graphql = json.dumps({"data": None, "errors": [{"message": f"internal: {TOKEN}"}]})
    tenancy.configure("[feeds.alertsv2]\nenabled = true\n")
    tenancy.console.faults.add(
        faults.status("groups", 500, quoted, "application/json"),
        faults.say("unifiedalerts/graphql", Answer(200, graphql.encode())),
    )
    running = tenancy.once()
    said = {retry["feed"]: retry["error"] for retry in running.events("retry")}
    assert said["groups"] == "groups: HTTP 500, code 5000010, Error: ***"
    assert said["alertsv2"] == "unifiedalerts/graphql: HTTP 200, error: internal: ***"
    assert TOKEN not in running.errors


def test_token_in_the_environment(tenancy: Tenancy) -> None:
    """A token of the environment works and is not logged."""
    tenancy.populate(1)
    text = tenancy.config.read_text().replace('token_file = "token"', 'token_env = "S1_TOKEN"')
    tenancy.config.write_text(text)
    running = tenancy.once(environ={"S1_TOKEN": TOKEN})
    assert TOKEN not in running.errors
    assert len(running.lines) == 5


@pytest.mark.parametrize("token", ["two tokens", "Bärer", "a\nb", ""])
def test_strange_token(tenancy: Tenancy, token: str) -> None:
    """A file that holds no token ends with status 2, without its content or a traceback."""
    (tenancy.folder / "token").write_text(token)
    running = tenancy.once(status=2)
    assert not token or token not in running.errors
    assert "Traceback" not in running.errors


def test_streams(tenancy: Tenancy) -> None:
    """Each line of stdout is a row, and each line of stderr is JSON of the log."""
    tenancy.populate(20)
    tenancy.console.faults.add(
        *(
            faults.server_error(name)
            for name in ("activities", "agents", "alerts", "groups", "threats")
        )
    )
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        tenancy.world.tick()
        assert running.stop() == 0
    assert running.errors.endswith("\n")
    for line in running.logs:
        assert {"timestamp", "level", "event"} <= line.keys()
    for row in running.lines:
        assert json.loads(row)["_table"].startswith("SentinelOne")
    assert running.out.endswith(b"\n")


def test_token_is_replaced(tenancy: Tenancy) -> None:
    """A new token is used without a restart, as soon as its file is there."""
    tenancy.populate(3)
    tenancy.console.tokens.clear()
    with tenancy.start() as running:
        running.wait_for("refused")
        tenancy.console.tokens.add("another-token")
        (tenancy.folder / "token").write_text("another-token")
        running.wait_for("swept", count=5)
        assert set(running.lines) == tenancy.shown()
        (tenancy.folder / "token").unlink()
        running.wait_for("refused", count=2)
        asked = len(tenancy.console.requests)
        (tenancy.folder / "token").write_text("another-token")
        until(lambda: len(tenancy.console.requests) > asked, "a request with the new token")
        assert len(running.events("refused")) < 20
        assert running.stop() == 0
    for token in (TOKEN, "another-token"):
        assert token not in running.errors
