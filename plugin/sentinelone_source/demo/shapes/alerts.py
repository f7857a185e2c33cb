"""Records of `cloud-detection/alerts`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ..moments import text
from . import words

if TYPE_CHECKING:
    from random import Random

    from .tenant import Host, Tenant

_NEVER: Final = "1970-01-01T00:00:00Z"
_EVENTS: Final = ("PROCESSCREATION", "TCPV4", "DNS", "REGVALUEMODIFIED", "FILECREATION")
_QUERIES: Final = (
    (
        'EventType = "Process Creation" AND SrcProcName ContainsCIS "winword" AND TgtProcCmdLine'
        ' RegExp "-e(nc|ncodedcommand)?\\s+[A-Za-z0-9+/=]{40,}"'
    ),
    (
        'EventType = "IP Connect" AND DstPort = 445 AND NetConnStatus = "SUCCESS" AND NOT DstIP'
        ' In CIDR ("10.0.0.0/8","192.168.0.0/16")'
    ),
    'IndicatorName = "ShadowCopyDeletion" OR TgtProcCmdLine ContainsCIS "delete shadows"',
)


def alert(tenant: Tenant, host: Host, reported: datetime) -> dict[str, Any]:
    """An alert of a custom rule; created on the agent a moment before it was reported."""
    rng = tenant.rng
    created = reported - timedelta(microseconds=rng.randrange(102_000, 298_000))
    in_container = host.system is words.LINUX and rng.random() < 0.3
    return {
        "agentDetectionInfo": _agent(host),
        "agentRealtimeInfo": _realtime(host),
        "alertInfo": {
            "alertId": tenant.next_id(reported),
            "analystVerdict": "Undefined",
            "createdAt": text(created),
            "incidentStatus": "Unresolved",
            "reportedAt": text(reported),
            "updatedAt": text(reported),
            **_event(rng, host),
        },
        "containerInfo": _container(rng)
        if in_container
        else _empty("id", "image", "labels", "name"),
        "kubernetesInfo": _kubernetes(host) if in_container else _empty(*_KUBERNETES),
        "ruleInfo": _rule(tenant),
        "sourceParentProcessInfo": _process(rng, host, created),
        "sourceProcessInfo": _process(rng, host, created),
        "targetProcessInfo": _target(rng, host, created),
    }


def _empty(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names)


def _agent(host: Host) -> dict[str, Any]:
    return {
        "accountId": host.group.site.account_id,
        "groupId": host.group.id,
        "machineType": "server" if host.is_server else "laptop",
        "name": host.name,
        "osFamily": host.system.family,
        "osName": host.system.name,
        "osRevision": host.system.revision,
        "siteId": host.group.site.id,
        "uuid": host.uuid,
        "version": host.version,
    }


def _realtime(host: Host) -> dict[str, Any]:
    return {
        "id": host.id,
        "infected": False,
        "isActive": True,
        "isDecommissioned": False,
        "machineType": "server" if host.is_server else "laptop",
        "name": host.name,
        "os": host.system.family,
        "uuid": host.uuid,
    }


def _event(rng: Random, host: Host) -> dict[str, Any]:
    kind = rng.choice(_EVENTS)
    return {
        "dvEventId": f"01{words.hexes(rng, 24).upper()}_{rng.randrange(1, 900)}",
        "eventType": kind,
        "hitType": "Events",
        "indicatorCategory": None,
        "indicatorDescription": None,
        "indicatorName": None,
        "modulePath": None,
        "moduleSha1": None,
        "source": "STAR",
        **_network(rng, host, kind),
        **_registry(kind),
        **_login(),
        **_empty(*(f"tiIndicator{x}" for x in ("ComparisonMethod", "Source", "Type", "Value"))),
    }


def _network(rng: Random, host: Host, kind: str) -> dict[str, Any]:
    is_tcp, is_dns = kind == "TCPV4", kind == "DNS"
    return {
        "dnsRequest": f"{words.hexes(rng, 12)}.updates.test" if is_dns else None,
        "dnsResponse": f"type: 1 {words.external_ip(rng)};" if is_dns else None,
        "dstIp": words.external_ip(rng) if is_tcp else None,
        "dstPort": "445" if is_tcp else None,
        "netEventDirection": "OUTGOING" if is_tcp else None,
        "srcIp": host.ip if is_tcp else None,
        "srcMachineIp": host.ip,
        "srcPort": str(rng.randrange(49152, 65536)) if is_tcp else None,
    }


def _registry(kind: str) -> dict[str, Any]:
    if kind != "REGVALUEMODIFIED":
        return _empty(
            "registryKeyPath",
            "registryOldValue",
            "registryOldValueType",
            "registryPath",
            "registryValue",
        )
    key = "MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"
    return {
        "registryKeyPath": key,
        "registryOldValue": "",
        "registryOldValueType": "SZ",
        "registryPath": f"{key}\\Helper",
        "registryValue": "C:\\ProgramData\\helper.exe /s",
    }


def _login() -> dict[str, Any]:
    return _empty(
        "loginAccountDomain",
        "loginAccountSid",
        "loginIsAdministratorEquivalent",
        "loginIsSuccessful",
        "loginType",
        "loginsUserName",
    )


def _container(rng: Random) -> dict[str, Any]:
    image = "registry.northwind.test/shop/checkout:4.2"
    return {
        "id": words.hexes(rng, 64),
        "image": image,
        "labels": "tier=frontend",
        "name": "checkout",
    }


_KUBERNETES: Final = (
    "cluster",
    "controllerKind",
    "controllerLabels",
    "controllerName",
    "namespace",
    "namespaceLabels",
    "node",
    "pod",
    "podLabels",
)


def _kubernetes(host: Host) -> dict[str, Any]:
    values = ("shop-eu", "Deployment", "app=checkout", "checkout", "shop", "team=shop")
    last = (host.name.lower(), "checkout-7c9d8b6f4-x2lqp", "app=checkout")
    return dict(zip(_KUBERNETES, (*values, *last), strict=True))


def _rule(tenant: Tenant) -> dict[str, Any]:
    name = tenant.rng.choice(words.RULES)
    return {
        "description": f"{name}: reviewed each quarter by {tenant.rng.choice(tenant.people).name}.",
        "id": tenant.next_id(tenant.hosts[0].registered),
        "name": name,
        "queryLang": "1.0",
        "queryType": "events",
        "s1ql": tenant.rng.choice(_QUERIES),
        "scopeLevel": tenant.rng.choice(("account", "site", "group")),
        "severity": tenant.rng.choice(("Low", "Medium", "High", "Critical")),
        "treatAsThreat": tenant.rng.choice(("UNDEFINED", "Suspicious", "Malicious")),
    }


def _process(rng: Random, host: Host, at: datetime) -> dict[str, Any]:
    name = rng.choice(host.system.tools)
    arguments = f"-NoLogo -Command {words.hexes(rng, rng.randrange(16, 40))}"
    started = at - timedelta(seconds=rng.randrange(1, 90_000))
    return {
        "commandline": f'"{host.file(name)}" {arguments}',
        "effectiveUser": host.account() if host.system.family == "linux" else None,
        "fileHashMd5": words.hexes(rng, 32),
        "fileHashSha1": words.hexes(rng, 40),
        "fileHashSha256": words.hexes(rng, 64),
        "filePath": host.file(name),
        "fileSignerIdentity": rng.choice(("MICROSOFT WINDOWS", "NORTHWIND SOFTWARE LTD", "")),
        "integrityLevel": rng.choice(("medium", "high", "system", "unknown")),
        "loginUser": None,
        "name": name,
        "pid": str(rng.randrange(300, 65_000)),
        "pidStarttime": text(started),
        "realUser": None,
        "storyline": words.hexes(rng, 16).upper(),
        "subsystem": "win32" if host.system.family == "windows" else "unknown",
        "uniqueId": words.hexes(rng, 16).upper(),
        "user": host.account(),
    }


def _target(rng: Random, host: Host, at: datetime) -> dict[str, Any]:
    has_file = rng.random() < 0.4
    name, tool = rng.choice(words.FILES), rng.choice(host.system.tools)
    return {
        "tgtFileCreatedAt": text(at) if has_file else _NEVER,
        "tgtFileHashSha1": words.hexes(rng, 40) if has_file else None,
        "tgtFileHashSha256": words.hexes(rng, 64) if has_file else None,
        "tgtFileId": words.hexes(rng, 16).upper() if has_file else None,
        "tgtFileIsSigned": "unsigned",
        "tgtFileModifiedAt": text(at) if has_file else _NEVER,
        "tgtFileOldPath": None,
        "tgtFilePath": host.file(name) if has_file else None,
        "tgtProcCmdLine": f'"{host.file(tool)}" -p {words.hexes(rng, 12)}',
        "tgtProcImagePath": host.file(tool),
        "tgtProcIntegrityLevel": rng.choice(("medium", "high", "unknown")),
        "tgtProcName": tool,
        "tgtProcPid": str(rng.randrange(300, 65_000)),
        "tgtProcSignedStatus": rng.choice(("signed", "unsigned")),
        "tgtProcStorylineId": words.hexes(rng, 16).upper(),
        "tgtProcUid": words.hexes(rng, 16).upper(),
        "tgtProcessStartTime": text(at) if rng.random() < 0.5 else _NEVER,
    }
