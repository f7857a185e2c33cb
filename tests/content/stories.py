"""What happened in a tenant: API records of the demo's making, the telling parts set by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from doubles.world import World
from sentinelone_source.demo.records import Records

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
CASES = Path(__file__).parents[1] / "mapping/cases"
QUERY = "ProcessName = 'a'"


def at(minutes: int) -> datetime:
    """That many minutes before noon, as the engine gives it."""
    return (NOON - timedelta(minutes=minutes)).replace(tzinfo=None)


class Story:
    """Records by endpoint. Every time is in minutes before noon."""

    now = NOON

    def __init__(self) -> None:
        self._make = Records(7)
        endpoints = ("activities", "agents", "alerts", "groups", "threats")
        self.records: dict[str, list[dict[str, Any]]] = {name: [] for name in endpoints}

    def activity(
        self,
        kind: int,
        minutes: int,
        text: str = "Something happened.",
        secondary: str | None = None,
        **data: Any,
    ) -> None:
        """An activity of a type that says this; a member of `data` that is None goes."""
        record = self._make.new("activities", NOON - timedelta(minutes=minutes), kind=kind)
        record |= {"primaryDescription": text, "secondaryDescription": secondary, "agentId": None}
        merged = record["data"] | data
        record["data"] = {name: value for name, value in merged.items() if value is not None}
        self.records["activities"].append(record)

    def login(self, user: str, minutes: int, address: str | None, role: str = "Admin") -> None:
        """Somebody logged in to the console; older consoles do not say from where."""
        where = f" with IP Address {address}." if address else "."
        text = f"The management user {user} logged in to the management console{where}"
        self.activity(27, minutes, text, username=user, role=role)

    def alert_of(self, rule: str, host: str, minutes: int, tool: str = "cmd.exe") -> None:
        """A custom rule fired."""
        where = f"Group Office in Site Hamburg of Account Harbour, detected on {host}."
        self.activity(
            3608, minutes, f"Alert created for {tool} from Custom Rule: {rule} in {where}"
        )

    def rule_change(self, kind: int, rule: str, user: str, minutes: int, status: str) -> None:
        """A custom rule was made, deleted or switched, told as later consoles spell it."""
        spelled: dict[str, Any] = {
            "rulename": None,
            "ruleName": rule,
            "ruleQueryDetails": QUERY,
            "username": user,
        }
        self.activity(kind, minutes, **spelled, status=status)

    def agent(self, host: str, minutes: int, **members: Any) -> None:
        """An agent of half a year reported then."""
        age = timedelta(days=180)
        record = self._make.new("agents", NOON - timedelta(minutes=minutes), age=age)
        states = {"isActive": True, "activeThreats": 0, "firewallEnabled": True, "infected": False}
        modes = {"isUpToDate": True, "mitigationMode": "protect", "networkStatus": "connected"}
        record |= {**states, **modes, "mitigationModeSuspicious": "detect", "computerName": host}
        self.records["agents"].append(record | members)

    def surroundings(self, minutes: int) -> None:
        """A group, a threat and an alert, and activities that nobody looks for."""
        moment = NOON - timedelta(minutes=minutes)
        self.records["groups"].append(self._make.new("groups", moment))
        self.records["threats"].append(self._make.new("threats", moment))
        self.records["alerts"].append(self._make.new("alerts", moment))
        for kind in (18, 43, 90, 91, 2001):
            self.activity(kind, minutes, username=None)


def eventful() -> Story:
    """Everything that Microsoft's content looks for."""
    story = Story()
    story.login("Femke", 2 * 24 * 60, "203.0.113.5")
    story.login("Femke", 10, "198.51.100.7")
    story.login("Vera", 5, "192.0.2.1", role="Viewer")
    story.activity(31, 20, computerName="HH-1", username="Jan")
    story.activity(31, 15, computerName="HH-1", username="Jan")
    story.alert_of("Rule A", "HH-1", 14)
    story.alert_of("Rule A", "HH-1", 12)
    story.alert_of("Rule A", "HH-2", 11, tool="wmic.exe")
    story.activity(3020, 30, "Jan deleted the Windows blacklist hash.", "3f1c", username="Jan")
    story.activity(3001, 29, "Jan added the Windows hash exclusion.", "02ab", username="Jan")
    story.activity(23, 28, "Jan added user Nora as Admin.", username="Nora", role="Admin")
    story.rule_change(3600, "Rule B", "Jan", 27, "Draft")
    story.rule_change(3602, "Rule C", "Jan", 26, "Disabled")
    story.rule_change(3603, "Rule D", "Jan", 25, "Active")
    story.activity(64, 24, computerName="HH-1", username="Jan")
    story.activity(92, 23, computerName="HH-1")
    story.activity(3002, 40, "Jan added the Linux blacklist hash.", "aa01", username="Jan")
    story.activity(3002, 22, "Jan added the Linux blacklist hash.", "bb02", username="Jan")
    story.activity(43, 150)
    story.agent(
        "HH-1", 60, agentVersion="21.7.4.1043", lastLoggedInUserName="anna", activeThreats=2
    )
    story.agent("HH-2", 90, agentVersion="24.2.1.8", lastLoggedInUserName="ben")
    return story


def quiet() -> Story:
    """The same kinds of things, and yet nothing that ought to be found."""
    story = Story()
    story.surroundings(30)
    story.login("Femke", 20, None)
    story.login("Vera", 15, "192.0.2.1", role="Viewer")
    for host, minutes in (("HH-1", 50), ("HH-1", 20), ("HH-2", 20)):
        story.activity(31, minutes, computerName=host, username="Jan")
    story.alert_of("Rule A", "HH-1", 50)
    story.alert_of("Rule A", "HH-2", 20)
    story.alert_of("Rule B", "HH-3", 20)
    story.activity(3021, 10, "Jan deleted the Windows hash exclusion.", username="Jan")
    story.activity(43, 10, "Jan added the group Exclusive.", username="Jan")
    story.activity(92, 23, computerName="HH-8")
    story.agent("HH-8", 60, agentVersion="24.2.1.8", lastLoggedInUserName="anna")
    story.agent("HH-9", 3 * 24 * 60, agentVersion="21.7.4.1043", lastLoggedInUserName="ben")
    return story


def others() -> Story:
    """Nothing but what no rule, no hunting query and no tile is about."""
    story = Story()
    for minutes in (10, 50, 24 * 60):
        story.surroundings(minutes)
    return story


def demo() -> Story:
    """A day of the demo's tenant."""
    world = World(3, now=lambda: NOON)
    world.populate(activities=400, agents=40, alerts=40, groups=6, threats=30)
    story = Story()
    story.records = {"activities": world.all("activities"), "agents": world.all("agents")}
    story.records |= {"alerts": world.all("alerts"), "groups": world.all("groups")}
    story.records["threats"] = world.all("threats")
    return story


def cases() -> Story:
    """The records of the mapping's cases."""
    story = Story()
    for name, records in story.records.items():
        paths = sorted((CASES / name).glob("*.json"))
        records += [json.loads(path.read_text())["record"] for path in paths]
    return story
