"""Who and what the records are about: accounts, sites, groups, people, machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from ..moments import snowflake
from . import words

if TYPE_CHECKING:
    from random import Random

FOUNDED: Final = datetime(2023, 3, 6, 8, 30, 0, 417_305, UTC)


@dataclass(frozen=True, slots=True)
class Site:
    """A site and the account it belongs to."""

    id: str
    name: str
    account_id: str
    account_name: str

    @property
    def path(self) -> str:
        """As `fullScopeDetailsPath` has it."""
        return f"Global / {self.account_name} / {self.name}"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a site."""

    id: str
    name: str
    site: Site
    is_default: bool

    @property
    def details(self) -> str:
        """As `fullScopeDetails` has it."""
        return f"Group {self.name} in Site {self.site.name} of Account {self.site.account_name}"


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who logs in, to the console or to a machine."""

    id: str
    name: str
    login: str
    email: str


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with an agent."""

    id: str
    uuid: str
    name: str
    domain: str
    system: words.System
    user: Person
    group: Group
    ip: str
    mac: str
    external_ip: str
    version: str
    registered: datetime

    @property
    def is_server(self) -> bool:
        """Servers and workstations differ in a few fields."""
        return self.system is words.WINDOWS_SERVER or self.system is words.LINUX

    def file(self, name: str) -> str:
        """Where a file of that name lies on this machine."""
        return self.system.homes.format(user=self.user.login, file=name)

    def account(self) -> str:
        """The user as the operating system writes it."""
        windows = self.system.family == "windows"
        return f"{self.domain}\\{self.user.login}" if windows else self.user.login


@dataclass(slots=True)
class Tenant:
    """Everything that records refer to; grows with the world."""

    rng: Random
    sites: list[Site] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    _counter: int = 0

    def __post_init__(self) -> None:
        for account, sites in zip(words.ACCOUNTS, words.SITES, strict=True):
            account_id = self.next_id(FOUNDED)
            self.sites += [Site(self.next_id(FOUNDED), s, account_id, account) for s in sites]
        for given, family in words.PEOPLE:
            self.people.append(self._person(given, family))
        for site in self.sites:
            self.add_group(FOUNDED, site, words.GROUPS[0])

    def next_id(self, at: datetime) -> str:
        """A new id inserted at that time; an odd multiplier visits all 23-bit values once."""
        self._counter += 1
        return snowflake(at, self._counter * 0x2545F5)

    def _person(self, given: str, family: str) -> Person:
        login = f"{given}.{family}".lower().replace(" ", "")
        return Person(self.next_id(FOUNDED), f"{given} {family}", login, f"{login}@northwind.test")

    def add_group(self, at: datetime, site: Site, name: str) -> Group:
        """A new group."""
        group = Group(self.next_id(at), name, site, is_default=name == words.GROUPS[0])
        self.groups.append(group)
        return group

    def add_host(self, at: datetime) -> Host:
        """A new machine, registered at that time."""
        rng = self.rng
        system = rng.choice(words.SYSTEMS)
        kind = {"windows": "WS", "macos": "MAC", "linux": "LX"}[system.family]
        group = rng.choice(self.groups)
        host = Host(
            id=self.next_id(at),
            uuid=words.hexes(rng, 32) if system.family == "windows" else words.uuid(rng),
            name=f"{group.site.name[:3].upper()}-{kind}-{rng.randrange(10_000):04}",
            domain="NORTHWIND" if system.family == "windows" else "unknown",
            system=system,
            user=rng.choice(self.people),
            group=group,
            ip=f"10.{rng.randrange(16, 48)}.{rng.randrange(256)}.{rng.randrange(2, 255)}",
            mac=":".join(words.hexes(rng, 2) for _ in range(6)),
            external_ip=words.external_ip(rng),
            version=rng.choice(words.AGENT_VERSIONS),
            registered=at,
        )
        self.hosts.append(host)
        return host

    def some_host(self) -> Host:
        """A machine to report something about; one is made when there is none."""
        if not self.hosts:
            self.add_host(FOUNDED + timedelta(days=self.rng.randrange(1, 200)))
        return self.rng.choice(self.hosts)
