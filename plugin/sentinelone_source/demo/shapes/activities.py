"""Records of `activities`: one function a family of types, each type with its own `data`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ..moments import text
from . import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from .tenant import Host, Person, Tenant

HIDDEN: Final = frozenset((5009,))


@dataclass(slots=True)
class Story:
    """What one activity tells; the rest of its record follows from it."""

    primary: str
    data: dict[str, Any]
    secondary: str | None = None
    by_agent: bool = False
    by_user: bool = False
    hash: str | None = None
    threat_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """Who and where an activity is about."""

    tenant: Tenant
    kind: int
    host: Host
    user: Person
    threat_id: str


def _login(s: Scene) -> Story:
    ip = words.external_ip(s.tenant.rng)
    sentence = f"The management user {s.user.name} logged in to the management console with IP"
    role = s.tenant.rng.choice(("Admin", "Admin", "Viewer", "SOC"))
    data = {"ipAddress": ip, "reason": None, "role": role, "source": "mgmt", "userScope": "site"}
    return Story(f"{sentence} Address {ip}.", {**data, "username": s.user.name}, by_user=True)


def _user_added(s: Scene) -> Story:
    by = s.tenant.rng.choice(s.tenant.people)
    data = {"byUser": by.name, "email": s.user.email, "role": "Admin", "username": s.user.name}
    sentence = f"The management user {by.name} added user {s.user.name} as Admin."
    return Story(sentence, {**data, "newValue": s.user.id}, by_user=True)


_AGENT_SENTENCES: Final = {
    31: "The agent {0} was uninstalled from the endpoint.",
    43: "The agent {0} was updated to version {1}.",
    64: "The management user {2} viewed the passphrase of the agent {0}.",
    90: "The agent {0} started a full disk scan.",
    91: "The full disk scan of the agent {0} was aborted.",
    92: "The agent {0} finished a full disk scan.",
}


def _agent_event(s: Scene) -> Story:
    primary = _AGENT_SENTENCES[s.kind].format(s.host.name, s.host.version, s.user.name)
    is_human = s.kind == 64
    data = {
        "computerName": s.host.name,
        "externalIp": s.host.external_ip,
        "commandId": words.big_int(s.tenant.rng),
        "status": "started" if s.kind == 90 else None,
        "system": not is_human,
        "uuid": s.host.uuid,
    }
    if is_human or s.kind == 31:
        data["username"] = s.user.name
    return Story(primary, data, s.host.ip, by_agent=True, by_user=is_human)


_HASH_LISTS: Final = {
    3001: ("added", "whitelist", "hash exclusion"),
    3002: ("added", "blacklist", "blacklist hash"),
    3020: ("deleted", "blacklist", "blacklist hash"),
    3021: ("deleted", "whitelist", "hash exclusion"),
}


def _hash_list(s: Scene) -> Story:
    verb, which, what = _HASH_LISTS[s.kind]
    sha1 = words.hexes(s.tenant.rng, 40)
    family = s.host.system.family
    data = {
        "description": which,
        "fileContentHash": sha1,
        "osFamily": family,
        "username": s.user.name,
    }
    sentence = f"The management user {s.user.name} {verb} the {family.capitalize()} {what}."
    extra = {"osFamily": family, "description": which}
    return Story(sentence, data, sha1, by_user=True, hash=sha1, extra=extra)


def _rule_change(s: Scene) -> Story:
    verb = {3600: "created", 3602: "deleted", 3603: "changed the state of"}[s.kind]
    name = s.tenant.rng.choice(words.RULES)
    sentence = f"The management user {s.user.name} {verb} the custom rule {name}."
    return Story(sentence, {**_rule(s, name), "username": s.user.name}, by_user=True)


def _rule(s: Scene, name: str) -> dict[str, Any]:
    return {
        "ruleid": words.big_int(s.tenant.rng),
        "rulename": name,
        "ruleQueryDetails": "SrcProcCmdLine ContainsCIS 'delete shadows'",
        "ruleQueryType": "events",
        "rulescopeid": words.big_int(s.tenant.rng),
        "rulescopelevel": s.tenant.rng.choice(("E_ACCOUNT", "E_SITE")),
        "severity": s.tenant.rng.choice(("E_LOW", "E_MEDIUM", "E_CRITICAL")),
        "status": s.tenant.rng.choice(("Active", "Disabled", "Draft")),
    }


def _rule_hit(s: Scene) -> Story:
    name, tool = s.tenant.rng.choice(words.RULES), s.tenant.rng.choice(s.host.system.tools)
    data = {
        **_rule(s, name),
        "alertid": words.big_int(s.tenant.rng),
        "detectedat": 1_700_000_000_000 + s.tenant.rng.getrandbits(36),
        "dveventid": f"01{words.hexes(s.tenant.rng, 24).upper()}",
        "dveventtype": "PROCESSCREATION",
        "k8sclustername": "",
        "origagentmachinetype": "server" if s.host.is_server else "laptop",
        "origagentname": s.host.name,
        "origagentosfamily": s.host.system.family,
        "origagentuuid": s.host.uuid,
        "sourcename": "STAR",
        "srcprocesscommandline": f'"{s.host.file(tool)}" {words.hexes(s.tenant.rng, 40)}',
        "srcprocesshashsha1": words.hexes(s.tenant.rng, 40),
        "srcprocessname": tool,
        "srcprocessuser": s.host.account(),
    }
    where = f"{s.host.group.details}, detected on {s.host.name}."
    sentence = f"Alert created for {tool} from Custom Rule: {name} in {where}"
    return Story(sentence, data, by_agent=True)


def _threat_event(s: Scene) -> Story:
    name = s.tenant.rng.choice(words.FILES)
    sha1 = words.hexes(s.tenant.rng, 40)
    data = {
        "computerName": s.host.name,
        "confidenceLevel": "malicious",
        "escapedMaliciousProcessArguments": None,
        "fileContentHash": sha1,
        "fileDisplayName": name,
        "filePath": s.host.file(name),
        "globalStatus": "success" if s.kind == 2001 else None,
        "threatClassification": s.tenant.rng.choice(words.CLASSIFICATIONS),
        "threatClassificationSource": "Cloud",
        "username": None,
    }
    killed = f"The agent {s.host.name} successfully killed the threat: {name}."
    primary = (
        killed if s.kind == 2001 else f"Threat with confidence level malicious detected: {name}"
    )
    secondary = s.host.file(name) if s.kind == 2001 else sha1
    return Story(primary, data, secondary, by_agent=True, threat_id=s.threat_id)


def _hidden(s: Scene) -> Story:
    return Story(f"Internal maintenance of {s.host.name}.", {"system": True}, by_agent=True)


_TELLERS: Final[dict[int, Callable[[Scene], Story]]] = {
    27: _login,
    23: _user_added,
    **dict.fromkeys(_AGENT_SENTENCES, _agent_event),
    **dict.fromkeys(_HASH_LISTS, _hash_list),
    **dict.fromkeys((3600, 3602, 3603), _rule_change),
    3608: _rule_hit,
    **dict.fromkeys((18, 2001), _threat_event),
    **dict.fromkeys(HIDDEN, _hidden),
}
_COMMON: Final = (27, 90, 92, 18, 43, 27, 3608, 92, 27)
_RARE: Final = (31, 23, 64, 3001, 3002, 2001, 3020, 3021, 91, 3600, 3602, 3603)
KINDS: Final = (*_COMMON, *_COMMON, *_RARE)


def activity(scene: Scene, created: datetime) -> dict[str, Any]:
    """An activity as the API describes it; its `updatedAt` is a little earlier."""
    story = _TELLERS[scene.kind](scene)
    earlier = timedelta(microseconds=scene.tenant.rng.randrange(1_000, 900_000))
    return {
        **_where(scene.host, story),
        "activityType": scene.kind,
        "activityUuid": words.uuid(scene.tenant.rng),
        "agentUpdatedVersion": scene.host.version if scene.kind == 43 else None,
        "comments": None,
        "createdAt": text(created),
        "data": {**_scope(scene.host, story), **story.data},
        "description": None,
        "hash": story.hash,
        "id": scene.tenant.next_id(created),
        "osFamily": None,
        "primaryDescription": story.primary,
        "secondaryDescription": story.secondary,
        "threatId": story.threat_id,
        "updatedAt": text(created - earlier),
        "userId": scene.user.id if story.by_user else None,
        **story.extra,
    }


def _where(host: Host, story: Story) -> dict[str, Any]:
    group, site = host.group, host.group.site
    return {
        "accountId": site.account_id,
        "accountName": site.account_name,
        "agentId": host.id if story.by_agent else None,
        "groupId": group.id if story.by_agent else None,
        "groupName": group.name if story.by_agent else None,
        "siteId": site.id,
        "siteName": site.name,
    }


def _scope(host: Host, story: Story) -> dict[str, Any]:
    group, site, in_group = host.group, host.group.site, story.by_agent
    return {
        "accountName": site.account_name,
        "fullScopeDetails": group.details if in_group else f"Site {site.name}",
        "fullScopeDetailsPath": f"{site.path} / {group.name}" if in_group else site.path,
        "groupName": group.name if in_group else None,
        "scopeLevel": "Group" if in_group else "Site",
        "scopeName": group.name if in_group else site.name,
        "siteName": site.name,
    }
