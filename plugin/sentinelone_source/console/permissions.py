"""Which permission of a role each endpoint needs; a Viewer role has them all.

Source: SentinelOne's API reference, `Required permissions` of each endpoint.
"""

from __future__ import annotations

_PERMISSIONS = {
    "activities": "Activity Page > View",
    "agents": "Endpoints > View",
    "cloud-detection/alerts": "Custom Alerts > View",
    "groups": "Groups > View",
    "threats": "Threats > View",
    "unifiedalerts/graphql": "Unified Alerts > View",
}


def permission(endpoint: str) -> str:
    """The permission's name as the console shows it."""
    return _PERMISSIONS.get(endpoint, "the one that this endpoint's reference names")
