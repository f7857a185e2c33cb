"""Live-like API records of one tenant, from a seed: shapes as the API has them, values made up."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from sentinelone_source.demo.golden import Golden, Scene, golden, merged, vocabulary
from sentinelone_source.times import parse_time, to_micros

Record = dict[str, Any]
Facts = dict[str, Any]
NOTHING: Final = timedelta()
_SNOWFLAKE_EPOCH_MS: Final = 1_483_228_800_000
FOUNDED: Final = datetime(2023, 3, 6, 8, 30, 0, 417_305, UTC)


class Tenant:
    """Who and what records are about: facts about groups and machines; grows with the world."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._counter = 0
        words = vocabulary()
        self.sites: list[Facts] = []
        for account in words["accounts"]:
            scope = {"account_id": self.next_id(FOUNDED), "account_name": account["name"]}
            for site in account["sites"]:
                self.sites.append({**scope, "id": self.next_id(FOUNDED), **site})
        self.people: list[Facts] = [
            {**person, "id": self.next_id(FOUNDED), "email": f"{person['login']}@northwind.test"}
            for person in words["people"]
        ]
        self.groups: list[Facts] = []
        for site in self.sites:
            self._add_group(FOUNDED, site, words["default_group"], is_default=True)
        self.hosts: list[Facts] = []

    def next_id(self, at: datetime) -> str:
        """A new id inserted at that time; an odd multiplier visits all 23-bit values once."""
        self._counter += 1
        return snowflake(at, self._counter * 0x2545F5)

    def add_group(self, at: datetime) -> Facts:
        """A new group of some site."""
        site, name = self.rng.choice(self.sites), self.rng.choice(vocabulary()["groups"])
        return self._add_group(at, site, name, is_default=False)

    def add_host(self, at: datetime) -> Facts:
        """A new machine, registered at that time."""
        words = vocabulary()
        [system] = self.rng.choices(list(words["mix"]), list(words["mix"].values()))
        facts = {
            **self.rng.choice(self.groups),
            "system": words["systems"][system],
            "user": self.rng.choice(self.people),
            "at": at,
            "registered": at,
        }
        facts["host"] = Scene(self.rng, self.next_id, facts).filled(words["host"])
        self.hosts.append(facts)
        return facts

    def some_host(self) -> Facts:
        """A machine to report something about; one is made when there is none."""
        if not self.hosts:
            self.add_host(FOUNDED + timedelta(days=self.rng.randrange(1, 200)))
        return self.rng.choice(self.hosts)

    def _add_group(self, at: datetime, site: Facts, name: str, *, is_default: bool) -> Facts:
        group = {"id": self.next_id(at), "name": name, "is_default": is_default}
        self.groups.append({"group": group, "site": site})
        return self.groups[-1]


class Records:
    """Makes records of one tenant, which refer to earlier ones; equal seeds make equal records."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = Random(seed)  # noqa: S311 - repeatable, and no secret
        self.tenant = Tenant(self.rng)
        self._unpublished = deque(self.tenant.groups)
        self._threats: deque[str] = deque(maxlen=100)

    def new(
        self, endpoint: str, at: datetime, *, age: timedelta = NOTHING, kind: int | None = None
    ) -> Record:
        """A record of this time, of a `kind` of activity; agents and groups are older, by `age`."""
        file, about = golden(endpoint), self._about(endpoint, at - age)
        name = str(kind) if kind else self.rng.choices(file.kinds, file.weights)[0]
        record = self._filled(file, file.records[name], about, at)
        if endpoint == "threats":
            self._threats.append(record["id"])
        return record

    def updated(self, endpoint: str, what: str, old: Record, now: datetime) -> Record:
        """The next version of a record, by a part of its golden file; newer than the last one."""
        info = old.get("threatInfo") or old.get("alertInfo") or old
        at = max(now, parse_time(info["updatedAt"]) + timedelta(microseconds=1))
        new: Record = merged(old, self._part(endpoint, what, at))
        if what == "mitigated":
            report = self._part(endpoint, "report", at)
            new["mitigationStatus"] = [*old["mitigationStatus"], report]
        elif what == "judged":
            known = golden(endpoint).vocabulary["verdicts"]
            others = [verdict for verdict in known if verdict != info.get("analystVerdict")]
            new["alertInfo"]["analystVerdict"] = self.rng.choice(others)
        return new

    def _about(self, endpoint: str, made: datetime) -> Facts:
        tenant = self.tenant
        if endpoint == "agents":
            return tenant.add_host(made)
        if endpoint == "groups":  # each site's default group comes first
            waiting = self._unpublished
            group = waiting.popleft() if waiting else tenant.add_group(made)
            return {**group, "registered": made}
        threats = self._threats or [tenant.next_id(made)]
        return {**tenant.some_host(), "threat": self.rng.choice(threats)}

    def _part(self, endpoint: str, name: str, at: datetime) -> Record:
        return self._filled(golden(endpoint), golden(endpoint).parts[name], {}, at)

    def _filled(self, file: Golden, what: Any, about: Facts, at: datetime) -> Record:
        facts = {**about, "at": at, "by": self.rng.choice(self.tenant.people)}
        record: Record = Scene(self.rng, self.tenant.next_id, facts, file).filled(what)
        return record


def snowflake(at: datetime, low: int) -> str:
    """An id inserted at that time; `low` (23 bits) tells ids of one millisecond apart."""
    return str((to_micros(at) // 1000 - _SNOWFLAKE_EPOCH_MS) << 23 | low & 0x7FFFFF)
