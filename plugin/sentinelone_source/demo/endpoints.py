"""What the API lets a client sort and filter by, endpoint for endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, get_args

Name = Literal["activities", "agents", "alerts", "groups", "threats"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)
BASE: Final = "/web/api/v2.1/"
_COMPARISONS: Final = ("lt", "gt", "lte", "gte")


@dataclass(frozen=True)
class Endpoint:
    """One list endpoint. Values of the dictionaries are dotted paths into a record."""

    name: Name
    path: str
    sorts: dict[str, str]
    times: dict[str, str]
    lists: dict[str, str]
    id: str = "id"
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


def _same(names: str, parent: str = "") -> dict[str, str]:
    return {name: parent + name for name in names.split()}


def _scope(parent: str = "") -> dict[str, str]:
    return {f"{level}Ids": f"{parent}{level}Id" for level in ("site", "account", "group")}


_AGENT_TIMES: Final = _same(
    "createdAt updatedAt registeredAt lastActiveDate decommissionedAt lastSuccessfulScanDate"
)
_ALERT: Final = "alertInfo."
_THREAT: Final = "threatInfo."

_ALL: Final = (
    Endpoint(
        name="activities",
        path="activities",
        sorts=_same("id activityType createdAt"),
        times=_same("createdAt"),
        comparisons=(*_COMPARISONS, "between"),
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
    ),
    Endpoint(
        name="agents",
        path="agents",
        sorts=_same("id uuid computerName osType agentVersion siteName groupName") | _AGENT_TIMES,
        times=_AGENT_TIMES,
        comparisons=(*_COMPARISONS, "between"),
        lists={"ids": "id", "uuids": "uuid", "osTypes": "osType", **_scope()},
        booleans=_same("isDecommissioned isUninstalled isActive"),
        newest_first=False,
    ),
    Endpoint(
        name="alerts",
        path="cloud-detection/alerts",
        id="alertInfo.alertId",
        sorts={
            "id": "alertInfo.alertId",
            "alertInfoAlertId": "alertInfo.alertId",
            "alertInfoCreatedAt": "alertInfo.createdAt",
            "alertInfoReportedAt": "alertInfo.reportedAt",
            "alertInfoIncidentStatus": "alertInfo.incidentStatus",
            "ruleInfoSeverity": "ruleInfo.severity",
        },
        times=_same("createdAt reportedAt", _ALERT),
        lists={
            "ids": "alertInfo.alertId",
            "severity": "ruleInfo.severity",
            "scopes": "ruleInfo.scopeLevel",
            **_same("incidentStatus analystVerdict", _ALERT),
            **_scope("agentDetectionInfo."),
        },
        ignored=frozenset(("tenant", "disablePagination")),
    ),
    Endpoint(
        name="groups",
        path="groups",
        sorts=_same("id name type rank siteId createdAt updatedAt"),
        times=_same("updatedAt"),
        lists={**_scope(), "groupIds": "id", "ids": "id", "types": "type"},
        booleans=_same("isDefault"),
        newest_first=False,
    ),
    Endpoint(
        name="threats",
        path="threats",
        sorts={"id": "id"} | _same("threatName createdAt updatedAt identifiedAt", _THREAT),
        times=_same("createdAt updatedAt", _THREAT),
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
    ),
)
ENDPOINTS: Final[dict[Name, Endpoint]] = {endpoint.name: endpoint for endpoint in _ALL}
BY_PATH: Final[dict[str, Endpoint]] = {endpoint.path: endpoint for endpoint in _ALL}
