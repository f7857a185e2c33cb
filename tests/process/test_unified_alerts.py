"""Unified alerts: a feed that is a mapping file, asked by POST of a console with GraphQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from doubles import faults
from sentinelone_source.demo.http_server import Answer
from sentinelone_source.demo.unified_alerts import PATH, nodes
from support.processes import COMMAND, surroundings
from support.tenancy import Tenancy

if TYPE_CHECKING:
    from pathlib import Path

    from support.processes import Running

ON = "[feeds.alertsv2]\nenabled = true\n"
TABLE = "SentinelOneAlertsV2_CL"
OWN = f'table = "{TABLE}"\n'


@pytest.fixture
def alerts(tenancy: Tenancy) -> Tenancy:
    """A tenant with alerts of every confidence, read in pages of seven."""
    tenancy.world.populate(agents=9, threats=20, alerts=10)
    own(tenancy, "[request]\npage_size = 7\n")
    tenancy.configure(ON, start="48h")
    return tenancy


def own(tenancy: Tenancy, text: str) -> None:
    (tenancy.folder / "mappings" / "alertsv2.toml").write_text(OWN + text)


def once(tenancy: Tenancy, status: int = 0) -> Running:
    return tenancy.once("--table", "alertsv2", status=status)


def versions(running: Running) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in running.lines]
    assert all(row["_table"] == TABLE for row in rows)
    return sorted((row["AlertId"], row["UpdatedAt"]) for row in rows)


def shown(tenancy: Tenancy) -> list[tuple[str, str]]:
    return sorted((node["id"], node["updatedAt"]) for node in nodes(tenancy.world))


def messages(*texts: str) -> Answer:
    """HTTP 200 with errors and without data."""
    body = {"data": None, "errors": [{"message": text} for text in texts]}
    return Answer(200, json.dumps(body).encode())


def test_every_alert_and_every_change(alerts: Tenancy) -> None:
    """Alerts of every confidence come once, and come again with each later change."""
    levels = {node["confidenceLevel"] for node in nodes(alerts.world)}
    assert {"INFORMATIONAL", "SUSPICIOUS", None} <= levels
    assert versions(once(alerts)) == shown(alerts)
    assert once(alerts).lines == []
    before = shown(alerts)
    for identifier in alerts.world.ids("threats")[:8]:
        alerts.world.mitigate_threat(identifier)
    alerts.world.new_alert()
    assert versions(once(alerts)) == sorted(set(shown(alerts)) - set(before))


def test_off_by_default(tenancy: Tenancy) -> None:
    """Unified alerts are asked for only if the feed's own table turns them on."""
    tenancy.world.populate(threats=3)
    tenancy.configure(start="48h")
    assert not any(TABLE.encode() in line for line in tenancy.once().lines)
    assert PATH not in {request.endpoint for request in tenancy.console.requests}
    tenancy.configure(ON, start="48h")
    assert sum(TABLE.encode() in line for line in tenancy.once().lines) == 3


@pytest.mark.parametrize(
    ("key", "member", "level"),
    [("site_ids", "siteId", "SITE"), ("account_ids", "accountId", "ACCOUNT")],
)
def test_scope(alerts: Tenancy, key: str, member: str, level: str) -> None:
    """The console's filter is the scope of the query."""
    wanted = next(node[member] for node in nodes(alerts.world) if node[member])
    text = alerts.config.read_text()
    filtered = text.replace('name = "acme"', f'name = "acme"\n{key} = ["{wanted}"]')
    alerts.config.write_text(filtered)
    inside = {node["id"] for node in nodes(alerts.world) if node[member] == wanted}
    assert {one for one, _ in versions(once(alerts))} == inside, level
    assert len(inside) < len(nodes(alerts.world))


def test_an_unknown_field(alerts: Tenancy) -> None:
    """A query with a field that the console lacks stops the feed alone, and the field is named."""
    query = "query { alerts { edges { node { id flavour } } pageInfo { endCursor } } }"
    own(alerts, f'[request.body]\nquery = "{query}"\n')
    running = alerts.once("--table", "alertsv2", "--table", "groups", status=1)
    (refused,) = running.events("feed_not_understood")
    assert "Field 'flavour' in type 'Node' is undefined" in refused["error"]
    assert refused["feed"] == "alertsv2"


@pytest.mark.parametrize("text", ["Access denied", "You do not have permission to view alerts"])
def test_a_missing_permission(alerts: Tenancy, text: str) -> None:
    """A refusal in words switches the feed off, and doctor says which permission is missing."""
    alerts.console.faults.add(faults.say(PATH, messages(text), times=None))
    running = once(alerts, status=3)
    assert text in running.events("feed_refused")[0]["error"]
    found = json.loads(doctored(alerts))
    assert (found["status"], text in found["found"]) == ("failed", True)
    assert "Unified Alerts > View" in found["advice"]


def doctored(tenancy: Tenancy) -> str:
    """The doctor's line about the feed."""
    import subprocess

    command = [*COMMAND, "doctor", "--json", "--config", str(tenancy.config)]
    done = subprocess.run(
        command, env=surroundings(), capture_output=True, text=True, check=False, timeout=60
    )
    return next(line for line in done.stdout.splitlines() if "acme/alertsv2" in line)


def test_a_lost_cursor(alerts: Tenancy) -> None:
    """A console that has lost its cursor is asked again from the start; nothing is missing."""
    fault = faults.say(PATH, messages("Invalid cursor value received"), after=1)
    alerts.console.faults.add(fault)
    running = once(alerts)
    assert versions(running) == shown(alerts)
    assert "cursor" in running.errors


def test_the_second_pass_fails(alerts: Tenancy) -> None:
    """A failed second pass leaves the watermark, so that the next sweep misses nothing."""
    own(alerts, "[request]\npage_size = 1000\n")
    alerts.console.faults.add(faults.say(PATH, messages("Access denied"), after=1))
    first = versions(once(alerts, status=3))
    assert 0 < len(first) < len(shown(alerts))
    assert sorted(first + versions(once(alerts))) == shown(alerts)


def test_any_other_error_is_tried_again(alerts: Tenancy) -> None:
    """An error that may pass costs time, and no row."""
    alerts.console.faults.add(faults.say(PATH, messages("Internal error", "again"), after=2))
    running = once(alerts)
    assert versions(running) == shown(alerts)
    assert "Internal error; again" in running.events("retry")[0]["error"]


def test_records_with_errors(alerts: Tenancy) -> None:
    """Records beside messages of errors are rows, and the messages are logged once."""
    node: dict[str, Any] = {"id": "a", "updatedAt": alerts.world.now().isoformat()}
    page = {"edges": [{"node": node}, {"node": None}], "pageInfo": {"hasNextPage": False}}
    body = {"data": {"alerts": page}, "errors": [{"message": "no assets now"}]}
    answer = Answer(200, json.dumps(body).encode())
    alerts.console.faults.add(faults.say(PATH, answer, times=None))
    running = once(alerts)
    assert [one for one, _ in versions(running)] == ["a"]
    assert [line["error"] for line in running.events("partial_answer")] == ["no assets now"]
    assert running.events("swept")[0]["dead"] == 1


def test_more_without_a_cursor(alerts: Tenancy) -> None:
    """An answer that says there is more, but not where, is not taken for the last page."""
    page = {"edges": [{"node": nodes(alerts.world)[0]}], "pageInfo": {"hasNextPage": True}}
    answer = Answer(200, json.dumps({"data": {"alerts": page}}).encode())
    alerts.console.faults.add(faults.say(PATH, answer))
    running = once(alerts)
    assert versions(running) == shown(alerts)
    assert "no cursor" in running.events("restart")[0]["error"]


def test_map(alerts: Tenancy, tmp_path: Path) -> None:
    """A page of the endpoint, and the alerts alone, give the same rows."""
    import subprocess

    found = nodes(alerts.world)[:2]
    page = {"data": {"alerts": {"edges": [{"node": node} for node in found]}}}
    texts = (json.dumps(page), json.dumps(found), "\n".join(map(json.dumps, found)))
    rows = [
        subprocess.run(
            [*COMMAND, "map", "alertsv2"], input=text, env=surroundings(), cwd=tmp_path,
            capture_output=True, text=True, check=True,
        ).stdout
        for text in texts
    ]  # fmt: skip
    assert rows[0] == rows[1] == rows[2]
    assert [json.loads(row)["AlertId"] for row in rows[0].splitlines()] == [
        node["id"] for node in found
    ]
