"""What the API lets a client sort and filter by, endpoint for endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, get_args

Name = Literal["activities", "agents", "alerts", "groups", "threats"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)
BASE: Final = "/web/api/v2.1/"

_COMPARISONS = ("lt", "gt", "lte", "gte")
_ALL_COMPARISONS = (*_COMPARISONS, "between")


@dataclass(frozen=True)
class Endpoint:
    """One list endpoint. Values of the dictionaries are dotted paths into a record."""

    name: Name
    path: str
    permission: str
    id: str
    sorts: dict[str, str]
    times: dict[str, str]
    lists: dict[str, str]
    booleans: dict[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    comparisons: tuple[str, ...] = _COMPARISONS
    newest_first: bool = True

    @property
    def view(self) -> str:
        """How a cursor names the endpoint's id column."""
        return f"{self.name.capitalize()}View.id"

    @cached_property
    def time_paths(self) -> frozenset[str]:
        """The paths whose values are times."""
        sortable = (p for p in self.sorts.values() if p.endswith(("At", "Date")))
        return frozenset((*self.times.values(), *sortable))

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every path that can be sorted or filtered by."""
        tables = (self.sorts, self.times, self.lists, self.booleans)
        return frozenset(path for table in tables for path in table.values())


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _under(parent: str, *names: str) -> dict[str, str]:
    return {name: f"{parent}.{name}" for name in names}


def _scope(parent: str = "") -> dict[str, str]:
    return {f"{level}Ids": f"{parent}{level}Id" for level in ("site", "account", "group")}


ACTIVITIES: Final = Endpoint(
    name="activities",
    path="activities",
    permission="Activity Page.view",
    id="id",
    sorts=_same("id", "activityType", "createdAt"),
    times=_same("createdAt"),
    comparisons=_ALL_COMPARISONS,
    lists={
        "ids": "id",
        "activityTypes": "activityType",
        "threatIds": "threatId",
        "agentIds": "agentId",
        "userIds": "userId",
        "alertIds": "data.alertid",
        "ruleIds": "data.ruleid",
        "userEmails": "data.email",
        **_scope(),
    },
)

_AGENT_TIMES = _same(
    "createdAt",
    "updatedAt",
    "registeredAt",
    "lastActiveDate",
    "decommissionedAt",
    "lastSuccessfulScanDate",
)

AGENTS: Final = Endpoint(
    name="agents",
    path="agents",
    permission="Endpoints.view",
    id="id",
    sorts={
        **_same("id", "uuid", "computerName", "osType", "agentVersion", "siteName", "groupName"),
        **_AGENT_TIMES,
    },
    times=_AGENT_TIMES,
    comparisons=_ALL_COMPARISONS,
    lists={"ids": "id", "uuids": "uuid", "osTypes": "osType", **_scope()},
    booleans=_same("isDecommissioned", "isUninstalled", "isActive"),
    newest_first=False,
)

ALERTS: Final = Endpoint(
    name="alerts",
    path="cloud-detection/alerts",
    permission="Custom Alerts.view",
    id="alertInfo.alertId",
    sorts={
        "id": "alertInfo.alertId",
        "alertInfoAlertId": "alertInfo.alertId",
        "alertInfoCreatedAt": "alertInfo.createdAt",
        "alertInfoReportedAt": "alertInfo.reportedAt",
        "alertInfoIncidentStatus": "alertInfo.incidentStatus",
        "ruleInfoSeverity": "ruleInfo.severity",
    },
    times=_under("alertInfo", "createdAt", "reportedAt"),
    lists={
        "ids": "alertInfo.alertId",
        "severity": "ruleInfo.severity",
        "scopes": "ruleInfo.scopeLevel",
        **_under("alertInfo", "incidentStatus", "analystVerdict"),
        **_scope("agentDetectionInfo."),
    },
    ignored=frozenset(("tenant", "disablePagination")),
)

GROUPS: Final = Endpoint(
    name="groups",
    path="groups",
    permission="Groups.view",
    id="id",
    sorts=_same("id", "name", "type", "rank", "siteId", "createdAt", "updatedAt"),
    times=_same("updatedAt"),
    lists={
        "ids": "id",
        "types": "type",
        "siteIds": "siteId",
        "accountIds": "accountId",
        "groupIds": "id",
    },
    booleans=_same("isDefault"),
    newest_first=False,
)

THREATS: Final = Endpoint(
    name="threats",
    path="threats",
    permission="Threats.view",
    id="id",
    sorts={
        "id": "id",
        "threatName": "threatInfo.threatName",
        "createdAt": "threatInfo.createdAt",
        "updatedAt": "threatInfo.updatedAt",
        "identifiedAt": "threatInfo.identifiedAt",
    },
    times=_under("threatInfo", "createdAt", "updatedAt"),
    lists={
        "ids": "id",
        "mitigationStatuses": "threatInfo.mitigationStatus",
        "incidentStatuses": "threatInfo.incidentStatus",
        "analystVerdicts": "threatInfo.analystVerdict",
        "classifications": "threatInfo.classification",
        "initiatedBy": "threatInfo.initiatedBy",
        "contentHashes": "threatInfo.sha1",
        **_scope("agentRealtimeInfo."),
    },
    ignored=frozenset(("tenant",)),
)

ENDPOINTS: Final[dict[Name, Endpoint]] = {
    "activities": ACTIVITIES,
    "agents": AGENTS,
    "alerts": ALERTS,
    "groups": GROUPS,
    "threats": THREATS,
}
BY_PATH: Final[dict[str, Endpoint]] = {e.path: e for e in ENDPOINTS.values()}
