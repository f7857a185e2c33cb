"""How records change: each function takes a record and gives its next version."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from .moments import parse, text
from .shapes import words
from .shapes.threats import report, sentence

if TYPE_CHECKING:
    from random import Random

    from .shapes.tenant import Tenant

Record = dict[str, Any]

_VERDICTS: Final = ("True positive", "False positive", "Suspicious")


def later(old: str, now: datetime) -> datetime:
    """`now`, or just after `old` when the clock has not moved: a version is never used twice."""
    return max(now, parse(old) + timedelta(microseconds=1))


def mitigated(threat: Record, tenant: Tenant, now: datetime) -> Record:
    """The agent has dealt with the threat and says so."""
    info = threat["threatInfo"]
    at = later(info["updatedAt"], now)
    word = "mitigated"
    news = {
        "mitigationStatus": word,
        "mitigationStatusDescription": sentence(word),
        "updatedAt": text(at),
    }
    reports = [*threat["mitigationStatus"], report(tenant, at)]
    return {**threat, "mitigationStatus": reports, "threatInfo": {**info, **news}}


def judged(alert: Record, rng: Random, now: datetime) -> Record:
    """An analyst has given another verdict; `reportedAt` stays."""
    info = alert["alertInfo"]
    others = [verdict for verdict in _VERDICTS if verdict != info.get("analystVerdict")]
    news = {
        "analystVerdict": rng.choice(others),
        "incidentStatus": rng.choice(("In progress", "Resolved")),
        "updatedAt": text(later(info["updatedAt"], now)),
    }
    return {**alert, "alertInfo": {**info, **news}}


def seen(agent: Record, rng: Random, now: datetime) -> Record:
    """A heartbeat with a few news."""
    at = later(agent["updatedAt"], now)
    news = {
        "externalIp": words.external_ip(rng),
        "isActive": True,
        "lastActiveDate": text(at),
        "lastLoggedInUserName": rng.choice(words.PEOPLE)[0].lower(),
        "networkStatus": rng.choice(("connected", "connected", "disconnected")),
        "updatedAt": text(at),
    }
    return {**agent, **news}


def decommissioned(agent: Record, now: datetime) -> Record:
    """The machine has been taken out of service."""
    at = text(later(agent["updatedAt"], now))
    news = {"decommissionedAt": at, "isActive": False, "isDecommissioned": True, "updatedAt": at}
    return {**agent, **news}


def uninstalled(agent: Record, now: datetime) -> Record:
    """The agent has been removed from the machine."""
    at = text(later(agent["updatedAt"], now))
    return {**agent, "isActive": False, "isUninstalled": True, "updatedAt": at}


def regrouped(group: Record, rng: Random, now: datetime) -> Record:
    """Machines have moved in or out, and someone has written a description."""
    at = text(later(group["updatedAt"], now))
    description = f"Reviewed by {rng.choice(words.PEOPLE)[0]}"
    news = {"description": description, "totalAgents": rng.randrange(400), "updatedAt": at}
    return {**group, **news}
