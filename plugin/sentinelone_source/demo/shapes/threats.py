"""Records of `threats`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ..moments import text
from . import words
from .agents import interfaces
from .containers import container, ecs, kubernetes

if TYPE_CHECKING:
    from random import Random

    from .tenant import Host, Tenant

UNMITIGATED: Final = "not_mitigated"
_ACTIONS: Final = ("kill", "quarantine", "remediate", "rollback-remediation")
_SENTENCES: Final = {
    "not_mitigated": "Not mitigated",
    "mitigated": "Mitigated",
    "blocked": "Blocked",
    "unresolved": "Unresolved",
    "undefined": "Undefined",
}


def threat(tenant: Tenant, host: Host, created: datetime) -> dict[str, Any]:
    """A threat as the API describes it when it has just been found."""
    rng = tenant.rng
    identifier = tenant.next_id(created)
    in_container = host.system is words.LINUX and rng.random() < 0.5
    return {
        "agentDetectionInfo": _at_detection(rng, host),
        "agentRealtimeInfo": _now(tenant, host, created),
        "containerInfo": container(rng, host if in_container else None),
        "ecsInfo": ecs(rng) if in_container and rng.random() < 0.3 else None,
        "id": identifier,
        "indicators": indicators(rng),
        "kubernetesInfo": kubernetes(host if in_container else None),
        "mitigationStatus": [],
        "threatInfo": _info(tenant, host, identifier, created),
        "whiteningOptions": rng.sample(("hash", "path", "certificate", "file_type"), 2),
    }


def report(tenant: Tenant, at: datetime) -> dict[str, Any]:
    """One entry of `mitigationStatus`: what the agent did about it."""
    counters = {"failed": 0, "notFound": 0, "pendingReboot": 0, "success": 1, "total": 1}
    return {
        "action": tenant.rng.choice(_ACTIONS),
        "actionsCounters": counters,
        "agentSupportsReport": True,
        "groupNotFound": False,
        "lastUpdate": text(at),
        "latestReport": f"/threats/mitigation-report/{tenant.next_id(at)}",
        "mitigationEndedAt": text(at - timedelta(milliseconds=180)),
        "mitigationStartedAt": text(at - timedelta(milliseconds=910)),
        "reportId": tenant.next_id(at),
        "status": "success",
    }


def sentence(word: str) -> str:
    """The human text beside an enumerated value."""
    return _SENTENCES.get(word) or word.replace("_", " ").capitalize()


def _at_detection(rng: Random, host: Host) -> dict[str, Any]:
    site = host.group.site
    return {
        "accountId": site.account_id,
        "accountName": site.account_name,
        "agentDetectionState": "full_mode",
        "agentDomain": host.domain,
        "agentIpV4": ",".join([host.ip] if rng.random() < 0.7 else [host.ip, "169.254.1.7"]),
        "agentIpV6": f"fe80::{words.hexes(rng, 4)}:{words.hexes(rng, 4)}",
        "agentLastLoggedInUpn": host.user.email,
        "agentLastLoggedInUserMail": host.user.email if rng.random() < 0.5 else None,
        "agentLastLoggedInUserName": host.user.login,
        "agentMitigationMode": "protect",
        "agentOsName": host.system.name,
        "agentOsRevision": host.system.revision,
        "agentRegisteredAt": text(host.registered),
        "agentUuid": host.uuid,
        "agentVersion": host.version,
        "assetVersion": None,
        "cloudProviders": {},
        "externalIp": host.external_ip,
        "groupId": host.group.id,
        "groupName": host.group.name,
        "siteId": site.id,
        "siteName": site.name,
    }


def _now(tenant: Tenant, host: Host, at: datetime) -> dict[str, Any]:
    scanned = max(host.registered, at - timedelta(days=tenant.rng.randrange(1, 20)))
    return {
        **_who(host),
        "activeThreats": tenant.rng.randrange(1, 4),
        "agentDecommissionedAt": None,
        "agentInfected": True,
        "agentIsActive": tenant.rng.random() < 0.9,
        "agentIsDecommissioned": False,
        "agentMitigationMode": "protect",
        "agentNetworkStatus": "connected",
        "networkInterfaces": interfaces(tenant, host),
        "operationalState": "na",
        "rebootRequired": False,
        "scanAbortedAt": None,
        "scanFinishedAt": text(scanned + timedelta(minutes=72)),
        "scanStartedAt": text(scanned),
        "scanStatus": "finished",
        "storageName": None,
        "storageType": None,
        "userActionsNeeded": [],
    }


def _who(host: Host) -> dict[str, Any]:
    site = host.group.site
    return {
        "accountId": site.account_id,
        "accountName": site.account_name,
        "agentComputerName": host.name,
        "agentDomain": host.domain,
        "agentId": host.id,
        "agentMachineType": "server" if host.is_server else "laptop",
        "agentOsName": host.system.name,
        "agentOsRevision": host.system.revision,
        "agentOsType": host.system.family,
        "agentUuid": host.uuid,
        "agentVersion": host.version,
        "groupId": host.group.id,
        "groupName": host.group.name,
        "siteId": site.id,
        "siteName": site.name,
    }


def indicators(rng: Random) -> list[dict[str, Any]]:
    """What was seen, with the MITRE tactics and techniques."""
    return [
        {
            "category": category,
            "categoryId": rng.randrange(1, 30),
            "description": description,
            "ids": [rng.randrange(1, 900)],
            "tactics": [_tactic(*t) for t in rng.sample(words.TACTICS, rng.randrange(2, 5))],
        }
        for category, description in rng.sample(words.INDICATORS, rng.randrange(4, 10))
    ]


def _tactic(name: str, code: str, technique: str) -> dict[str, Any]:
    link = f"https://attack.mitre.org/techniques/{code}/"
    techniques = [{"link": link, "name": f"{code}: {technique}"}]
    return {"name": name, "source": "MITRE", "techniques": techniques}


def _info(tenant: Tenant, host: Host, identifier: str, created: datetime) -> dict[str, Any]:
    rng = tenant.rng
    identified = created - timedelta(milliseconds=rng.randrange(60, 3000))
    return {
        "analystVerdict": "undefined",
        "analystVerdictDescription": sentence("undefined"),
        "createdAt": text(created),
        "identifiedAt": text(identified),
        "incidentStatus": "unresolved",
        "incidentStatusDescription": sentence("unresolved"),
        "mitigatedPreemptively": False,
        "mitigationStatus": UNMITIGATED,
        "mitigationStatusDescription": sentence(UNMITIGATED),
        "threatId": identifier,
        "updatedAt": text(created),
        **_file(rng, host),
        **_detection(rng, host),
        **_constants(tenant),
    }


def _file(rng: Random, host: Host) -> dict[str, Any]:
    name = rng.choice(words.FILES)
    is_signed = rng.random() < 0.3
    return {
        "certificateId": "NORTHWIND SOFTWARE LTD" if is_signed else "",
        "fileExtension": name.rpartition(".")[2].upper(),
        "fileExtensionType": rng.choice(("Executable", "Document", "Misc")),
        "filePath": host.file(name),
        "fileSize": rng.randrange(4_000, 90_000_000),
        "fileVerificationType": "SignedVerified" if is_signed else "NotSigned",
        "isValidCertificate": is_signed,
        "md5": words.hexes(rng, 32) if rng.random() < 0.3 else None,
        "publisherName": "NORTHWIND SOFTWARE LTD" if is_signed else "",
        "sha1": words.hexes(rng, 40),
        "sha256": words.hexes(rng, 64) if rng.random() < 0.5 else None,
        "threatName": name,
    }


def _detection(rng: Random, host: Host) -> dict[str, Any]:
    engines = rng.sample(words.ENGINES, rng.randrange(1, 3))
    is_static = engines[0][0].startswith("pre_")
    return {
        "classification": rng.choice(words.CLASSIFICATIONS),
        "classificationSource": rng.choice(("Cloud", "Static", "Engine")),
        "cloudFilesHashVerdict": rng.choice(("black", "provider_unknown", "white", None)),
        "confidenceLevel": rng.choice(("malicious", "suspicious")),
        "detectionEngines": [{"key": key, "title": title} for key, title in engines],
        "detectionType": "static" if is_static else "dynamic",
        "engines": [title for _, title in engines],
        "initiatedBy": "agent_policy",
        "initiatedByDescription": "Agent Policy",
        "initiatingUserId": None,
        "initiatingUsername": host.user.name if rng.random() < 0.2 else None,
        "maliciousProcessArguments": _arguments(rng, host),
        "originatorProcess": rng.choice(host.system.tools),
        "processUser": host.account() if rng.random() < 0.9 else "",
        "storyline": words.hexes(rng, 16).upper(),
    }


def _arguments(rng: Random, host: Host) -> str:
    path = host.file(rng.choice(words.FILES))
    return f'"{path}" --config "{words.hexes(rng, 24)}" /quiet' if rng.random() < 0.7 else ""


def _constants(tenant: Tenant) -> dict[str, Any]:
    return {
        "automaticallyResolved": False,
        "browserType": None,
        "collectionId": tenant.next_id(tenant.hosts[0].registered),
        "externalTicketExists": False,
        "externalTicketId": None,
        "failedActions": False,
        "isFileless": False,
        "macroModules": None,
        "pendingActions": False,
        "reachedEventsLimit": False,
        "rebootRequired": False,
        "rootProcessUpn": None,
    }
