"""What the queries must answer to the stories: exactly this; an item that is not named, nothing."""

from __future__ import annotations

from typing import Any

from content.stories import QUERY, at, eventful, others, quiet

Answer = list[dict[str, Any]]

BLOCKLISTED = "Jan deleted the Windows blacklist hash."
STATE = {"IsActive": True, "FirewallEnabled": True, "Infected": False, "IsUpToDate": True}
MODES = {
    "MitigationMode": "protect",
    "MitigationModeSuspicious": "detect",
    "NetworkStatus": "connected",
}


def _rule(minutes: int, name: str, **more: str) -> dict[str, Any]:
    columns = {"DataRuleName": name, "DataRuleQueryDetails": QUERY, **more, "DataUserName": "Jan"}
    return {"EventCreationTime": at(minutes), **columns}


def _login(minutes: int, user: str, where: str) -> dict[str, Any]:
    text = f"The management user {user} logged in to the management console{where}."
    return {"EventCreationTime": at(minutes), "User": user, "EventOriginalMessage": text}


EVENTFUL: dict[str, Answer] = {
    "rules/AgentUninstalled": [{"DataComputerName": "HH-1", "Times": 2}],
    "rules/AlertFromCustomRule": [
        {"Rule": "Rule A", "Host": "HH-1"},
        {"Rule": "Rule A", "Host": "HH-1"},
        {"Rule": "Rule A", "Host": "HH-2"},
    ],
    "rules/BlacklistHashDeleted": [
        {"EventCreationTime": at(30), "SrcUserName": "Jan", "EventSubStatus": "3f1c"}
    ],
    "rules/ExclusionAdded": [
        {
            "EventCreationTime": at(29),
            "SrcUserName": "Jan",
            "EventOriginalMessage": "Jan added the Windows hash exclusion.",
        }
    ],
    "rules/MultipleAlertsOnHost": [{"Host": "HH-1", "Alerts": 2}],
    "rules/NewAdmin": [{"SrcUserName": "Nora"}],
    "rules/RuleDeleted": [_rule(26, "Rule C")],
    "rules/RuleDisabled": [_rule(25, "Rule D")],
    "rules/SameCustomRuleHitOnDiffHosts": [{"Rule": "Rule A", "Hosts": 2}],
    "rules/ViewAgentPassphrase": [{"SrcUserName": "Jan", "DataComputerName": "HH-1"}],
    "hunting/AgentNotUpdated": [{"ComputerName": "HH-1", "AgentVersion": "21.7.4.1043"}],
    "hunting/AgentStatus": [
        {"ComputerName": "HH-1", "ActiveThreats": 2.0, **STATE, **MODES},
        {"ComputerName": "HH-2", "ActiveThreats": 0.0, **STATE, **MODES},
    ],
    "hunting/AlertTriggers": [
        {"EventCreationTime": at(14), "Trigger": "cmd.exe"},
        {"EventCreationTime": at(12), "Trigger": "cmd.exe"},
        {"EventCreationTime": at(11), "Trigger": "wmic.exe"},
    ],
    "hunting/HostNotScanned": [{"ComputerName": "HH-2"}],
    "hunting/NewRules": [_rule(27, "Rule B", DataStatus="Draft")],
    "hunting/RulesDeleted": [_rule(26, "Rule C", DataStatus="Disabled")],
    "hunting/ScannedHosts": [{"EventCreationTime": at(23), "DataComputerName": "HH-1"}],
    "hunting/SourcesByAlertCount": [
        {"Host": "HH-1", "Alerts": 2},
        {"Host": "HH-2", "Alerts": 1},
    ],
    "hunting/UninstalledAgents": [{"DataComputerName": "HH-1"}],
    "hunting/UsersByAlertCount": [{"LastLoggedInUserName": "anna and ben", "Alerts": 2}],
    "workbook/EventsOverTime": [{"TimeGenerated": at(180), "Rows": 1}],
    "workbook/AgentsByVersion": [
        {"AgentVersion": "21.7.4.1043", "Agents": 1},
        {"AgentVersion": "24.2.1.8", "Agents": 1},
    ],
    "workbook/Summary": [
        {"What": "users", "Number": 4},
        {"What": "agents", "Number": 2},
        {"What": "alerts", "Number": 3},
    ],
    "workbook/AdminSources": [
        {"Address": "203.0.113.5", "Logins": 1},
        {"Address": "198.51.100.7", "Logins": 1},
    ],
    "workbook/AdminActivities": [
        _login(10, "Femke", " with IP Address 198.51.100.7"),
        {
            "EventCreationTime": at(28),
            "User": "Nora",
            "EventOriginalMessage": "Jan added user Nora as Admin.",
        },
        _login(2 * 24 * 60, "Femke", " with IP Address 203.0.113.5"),
    ],
    "workbook/TopRulesFired": [{"Rule": "Rule A", "Alerts": 3}],
    "workbook/AlertTriggers": [
        {"Trigger": "cmd.exe", "Alerts": 2},
        {"Trigger": "wmic.exe", "Alerts": 1},
    ],
    "workbook/HostsByAlertCount": [
        {"Host": "HH-1", "Alerts": 2},
        {"Host": "HH-2", "Alerts": 1},
    ],
    "workbook/RecentBlackHashes": [{"EventSubStatus": "bb02"}, {"EventSubStatus": "aa01"}],
    "workbook/LatestAlerts": [
        {"EventCreationTime": at(11), "Host": "HH-2", "Rule": "Rule A"},
        {"EventCreationTime": at(12), "Host": "HH-1", "Rule": "Rule A"},
        {"EventCreationTime": at(14), "Host": "HH-1", "Rule": "Rule A"},
    ],
}

_QUIET_ALERTS = [
    {"Rule": "Rule B", "Host": "HH-3"},
    {"Rule": "Rule A", "Host": "HH-2"},
    {"Rule": "Rule A", "Host": "HH-1"},
]
_QUIET_HOSTS = [{"Host": row["Host"], "Alerts": 1} for row in _QUIET_ALERTS]
QUIET: dict[str, Answer] = {
    # What is about every single alert, agent or login finds the quiet ones too: and no others.
    "rules/AlertFromCustomRule": _QUIET_ALERTS,
    "hunting/AgentStatus": [{"ComputerName": "HH-8", "ActiveThreats": 0.0, **STATE, **MODES}],
    "hunting/AlertTriggers": [
        {"EventCreationTime": at(minutes), "Trigger": "cmd.exe"} for minutes in (20, 20, 50)
    ],
    "hunting/ScannedHosts": [{"EventCreationTime": at(23), "DataComputerName": "HH-8"}],
    "hunting/SourcesByAlertCount": _QUIET_HOSTS,
    "hunting/UninstalledAgents": [{"DataComputerName": "HH-1"}, {"DataComputerName": "HH-2"}],
    "workbook/AgentsByVersion": [
        {"AgentVersion": "21.7.4.1043", "Agents": 1},
        {"AgentVersion": "24.2.1.8", "Agents": 1},
    ],
    "workbook/Summary": [
        {"What": "users", "Number": 3},
        {"What": "agents", "Number": 3},
        {"What": "alerts", "Number": 3},
    ],
    "workbook/AdminActivities": [_login(20, "Femke", "")],
    "workbook/TopRulesFired": [{"Rule": "Rule A", "Alerts": 2}, {"Rule": "Rule B", "Alerts": 1}],
    "workbook/AlertTriggers": [{"Trigger": "cmd.exe", "Alerts": 3}],
    "workbook/HostsByAlertCount": _QUIET_HOSTS,
    "workbook/LatestAlerts": [
        {"EventCreationTime": at(20), **_QUIET_ALERTS[0]},
        {"EventCreationTime": at(20), **_QUIET_ALERTS[1]},
        {"EventCreationTime": at(50), **_QUIET_ALERTS[2]},
    ],
}
OTHERS: dict[str, Answer] = {
    "workbook/Summary": [{"What": "agents", "Number": 1}],  # a threat knows its agent
}

STORIES = {
    "eventful": (eventful, EVENTFUL),
    "quiet": (quiet, QUIET),
    "others": (others, OTHERS),
}
