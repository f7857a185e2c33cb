"""Who and what records are about: accounts, sites, groups, people, machines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sentinelone_source.demo.golden import Scene, vocabulary
from sentinelone_source.demo.timestamps import snowflake

if TYPE_CHECKING:
    from random import Random

Facts = dict[str, Any]
FOUNDED: Final = datetime(2023, 3, 6, 8, 30, 0, 417_305, UTC)


class Tenant:
    """Everything that records refer to; grows with the world.

    Attributes:
        groups: facts about a group, its site and its account.
        hosts: facts about a machine, its system, user, group and site.
    """

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
