"""How records change: each function takes a record and gives its next version."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sentinelone_source.demo.golden import golden, merged
from sentinelone_source.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentinelone_source.demo.records import Record, Records

    Update = Callable[[Records, Record, datetime], Record]


def _later(old: str, now: datetime) -> datetime:
    """`now`, or just after `old` when the clock has not moved: a version is never used twice."""
    return max(now, parse_time(old) + timedelta(microseconds=1))


def mitigated(records: Records, threat: Record, now: datetime) -> Record:
    """The agent has dealt with the threat and reports it."""
    at = _later(threat["threatInfo"]["updatedAt"], now)
    reports = [*threat["mitigationStatus"], records.part("threats", "report", at)]
    new: Record = merged(threat, records.part("threats", "mitigated", at))
    return {**new, "mitigationStatus": reports}


def judged(records: Records, alert: Record, now: datetime) -> Record:
    """An analyst has given another verdict; `reportedAt` stays."""
    info = alert["alertInfo"]
    known = golden("alerts").vocabulary["verdicts"]
    others = [verdict for verdict in known if verdict != info.get("analystVerdict")]
    new = records.part("alerts", "judged", _later(info["updatedAt"], now))
    new["alertInfo"]["analystVerdict"] = records.rng.choice(others)
    changed: Record = merged(alert, new)
    return changed


def _plain(endpoint: str, part: str) -> Update:
    def update(records: Records, record: Record, now: datetime) -> Record:
        at = _later(record["updatedAt"], now)
        return {**record, **records.part(endpoint, part, at)}

    return update


seen = _plain("agents", "seen")
"""A heartbeat with a few news."""
decommissioned = _plain("agents", "decommissioned")
"""The machine has been taken out of service."""
uninstalled = _plain("agents", "uninstalled")
"""The agent has been removed from the machine."""
regrouped = _plain("groups", "regrouped")
"""Machines have moved in or out, and someone has written a description."""
