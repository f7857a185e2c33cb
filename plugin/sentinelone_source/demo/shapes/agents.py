"""Records of `agents`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ..moments import text
from . import words

if TYPE_CHECKING:
    from random import Random

    from .tenant import Host, Tenant

_UNITS = ("Workstations", "Servers", "Laptops", "Kiosks")
_ROLES = ("VPN Users", "BitLocker", "Wi-Fi Certificates", "Patch Ring 2", "Local Administrators")


def agent(tenant: Tenant, host: Host, updated: datetime) -> dict[str, Any]:
    """An agent as the API describes it."""
    rng = tenant.rng
    return {
        "accountId": host.group.site.account_id,
        "accountName": host.group.site.account_name,
        "activeDirectory": _active_directory(rng, host),
        **_states(rng, host, updated),
        "cloudProviders": _cloud(rng, host),
        **_machine(rng, host),
        "createdAt": text(host.registered),
        "groupId": host.group.id,
        "groupName": host.group.name,
        "id": host.id,
        "lastActiveDate": text(updated - timedelta(milliseconds=rng.randrange(900))),
        **_locations(tenant),
        "networkInterfaces": interfaces(tenant, host),
        "registeredAt": text(host.registered),
        **_scans(rng, host, updated),
        "siteId": host.group.site.id,
        "siteName": host.group.site.name,
        "tags": _tags(tenant, host),
        "updatedAt": text(updated),
        "uuid": host.uuid,
    }


def _active_directory(rng: Random, host: Host) -> dict[str, Any]:
    if host.system.family != "windows":
        return {
            "computerDistinguishedName": None,
            "computerMemberOf": [],
            "lastUserDistinguishedName": None,
            "lastUserMemberOf": [],
            "mail": None,
            "userPrincipalName": None,
        }
    base = "DC=corp,DC=northwind,DC=test"
    unit = rng.choice(_UNITS)
    roles = [f"CN={role},OU=Groups,OU=IT,{base}" for role in _ROLES]
    return {
        "computerDistinguishedName": f"CN={host.name},OU={unit},OU={host.group.site.name},{base}",
        "computerMemberOf": rng.sample(roles, rng.randrange(2, 5)),
        "lastUserDistinguishedName": f"CN={host.user.name},OU=Staff,{base}",
        "lastUserMemberOf": rng.sample(roles, rng.randrange(2, 6)),
        "mail": host.user.email,
        "userPrincipalName": host.user.email,
    }


def _states(rng: Random, host: Host, updated: datetime) -> dict[str, Any]:
    is_quiet = rng.random() < 0.95
    return {
        "activeThreats": 0 if is_quiet else rng.randrange(1, 4),
        "agentVersion": host.version,
        "allowRemoteShell": rng.random() < 0.3,
        "appsVulnerabilityStatus": rng.choice(("patch_required", "up_to_date", "not_applicable")),
        "encryptedApplications": rng.random() < 0.6,
        "firstFullModeTime": text(host.registered + timedelta(minutes=4)),
        "fullDiskScanLastUpdatedAt": text(updated - timedelta(days=rng.randrange(1, 30))),
        "infected": not is_quiet,
        "isActive": rng.random() < 0.85,
        "isDecommissioned": False,
        "isUninstalled": False,
        "isUpToDate": host.version == max(words.AGENT_VERSIONS),
        "missingPermissions": ["user_action_needed_fda"] if host.system is words.MACOS else [],
        "mitigationModeSuspicious": rng.choice(("detect", "protect")),
        "networkStatus": "connected" if is_quiet else "disconnected",
        "userActionsNeeded": [] if is_quiet else ["reboot_needed"],
        **_STEADY,
    }


_STEADY: Final[dict[str, Any]] = {
    "detectionState": "full_mode",
    "firewallEnabled": True,
    "containerizedWorkloadCounts": None,
    "consoleMigrationStatus": "N/A",
    "isPendingUninstall": False,
    "isHyperAutomate": False,
    "isAdConnector": False,
    "inRemoteShellSession": False,
    "hasContainerizedWorkload": False,
    "mitigationMode": "protect",
    "networkQuarantineEnabled": False,
    "operationalState": "na",
    "operationalStateExpiration": None,
    "proxyStates": {"console": False, "deepVisibility": False},
    "rangerStatus": "Enabled",
    "rangerVersion": "24.1.0.12",
    "remoteProfilingState": "disabled",
    "remoteProfilingStateExpiration": None,
    "showAlertIcon": False,
    "threatRebootRequired": False,
}


def _cloud(rng: Random, host: Host) -> dict[str, Any]:
    if not host.is_server or rng.random() < 0.5:
        return {}
    return {
        "AWS": {
            "awsRole": "ssm-managed-instance",
            "awsSecurityGroups": [f"sg-0{words.hexes(rng, 16)}"],
            "awsSubnetIds": [f"subnet-0{words.hexes(rng, 16)}"],
            "cloudAccount": f"{rng.randrange(10**11, 10**12)}",
            "cloudImage": f"ami-0{words.hexes(rng, 16)}",
            "cloudInstanceId": f"i-0{words.hexes(rng, 16)}",
            "cloudInstanceSize": rng.choice(("m6i.large", "c7g.xlarge", "t3.medium")),
            "cloudLocation": "eu-west-1",
            "cloudNetwork": f"vpc-0{words.hexes(rng, 16)}",
            "cloudTags": [f"owner={host.user.login}", "env=production"],
        }
    }


def _machine(rng: Random, host: Host) -> dict[str, Any]:
    cores = rng.choice((4, 8, 12, 16, 32))
    return {
        "computerName": host.name,
        "coreCount": cores,
        "cpuCount": 2 if cores > 16 else 1,
        "cpuId": rng.choice(words.PROCESSORS),
        "domain": host.domain,
        "externalId": "",
        "externalIp": host.external_ip,
        "groupIp": f"{host.external_ip.rsplit('.', 1)[0]}.x",
        "installerType": host.system.installer,
        "lastIpToMgmt": host.ip,
        "lastLoggedInUserName": host.user.login,
        "licenseKey": f"lk-{words.hexes(rng, 24)}" if rng.random() < 0.1 else "",
        "machineSid": f"S-1-5-21-{rng.getrandbits(32)}-{rng.getrandbits(32)}",
        "machineType": "server" if host.is_server else rng.choice(("laptop", "desktop")),
        "modelName": rng.choice(words.MODELS),
        "osArch": "64 bit",
        "osName": host.system.name,
        "osRevision": host.system.revision,
        "osStartTime": text((host.registered + timedelta(days=2)).replace(microsecond=0)),
        "osType": host.system.family,
        "osUsername": host.user.login if host.system is words.MACOS else None,
        "serialNumber": words.hexes(rng, 12).upper(),
        "storageName": None,
        "storageType": None,
        "totalMemory": cores * 2048 - 37,
    }


def _locations(tenant: Tenant) -> dict[str, Any]:
    return {
        "locationEnabled": True,
        "locationType": "specific",
        "locations": [
            {"id": tenant.groups[0].id, "name": "Corporate network", "scope": "account"},
            {"id": tenant.groups[1].id, "name": "Behind the VPN", "scope": "site"},
        ],
    }


def interfaces(tenant: Tenant, host: Host) -> list[dict[str, Any]]:
    """The network cards, as agents and threats have them."""
    prefix = host.ip.rsplit(".", 1)[0]
    return [
        {
            "gatewayIp": f"{prefix}.1",
            "gatewayMacAddress": "02:00:5e:10:00:01",
            "id": tenant.next_id(host.registered),
            "inet": [host.ip] if index == 0 else [f"169.254.{index}.7"],
            "inet6": [f"fe80::{words.hexes(tenant.rng, 4)}:{words.hexes(tenant.rng, 4)}"],
            "name": ("Ethernet0", "Wi-Fi", "vEthernet (Default Switch)")[index],
            "physical": host.mac,
        }
        for index in range(tenant.rng.randrange(1, 4))
    ]


def _scans(rng: Random, host: Host, updated: datetime) -> dict[str, Any]:
    started = max(host.registered, updated - timedelta(days=rng.randrange(1, 40)))
    finished = text(started + timedelta(minutes=rng.randrange(20, 300)))
    return {
        "lastSuccessfulScanDate": finished,
        "remoteScriptingEnabled": True,
        "scanAbortedAt": None,
        "scanFinishedAt": finished,
        "scanStartedAt": text(started),
        "scanStatus": "finished",
    }


def _tags(tenant: Tenant, host: Host) -> dict[str, Any]:
    tags = [("Owner", host.user.name), ("Cost centre", f"NW-{tenant.rng.randrange(100, 999)}")]
    return {
        "sentinelone": [
            {
                "assignedAt": text(host.registered),
                "assignedBy": tenant.people[0].name,
                "assignedById": tenant.people[0].id,
                "id": tenant.next_id(host.registered),
                "key": key,
                "value": value,
            }
            for key, value in tags
        ]
    }
