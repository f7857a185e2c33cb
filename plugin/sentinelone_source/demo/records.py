"""Live-like API records from a seed: shapes as the API has them, every value made up."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from sentinelone_source.demo.golden import Golden, Scene, golden
from sentinelone_source.demo.tenant import Facts, Tenant

Record = dict[str, Any]
NOTHING: Final = timedelta()


class Records:
    """Makes records of one tenant; equal seeds and times make equal records.

    Records refer to each other: a threat's agent is one that `agent` made.
    """

    def __init__(self, seed: int = 0) -> None:
        self.rng = Random(seed)  # noqa: S311 - repeatable, and no secret
        self.tenant = Tenant(self.rng)
        self._unpublished = deque(self.tenant.groups)
        self._threats: deque[str] = deque(maxlen=100)

    def activity(self, at: datetime, kind: int | None = None) -> Record:
        """Something that happened at that time; of any type when none is asked for."""
        threats = self._threats or [self.tenant.next_id(at)]
        about = {**self.tenant.some_host(), "threat": self.rng.choice(threats)}
        return self._made("activities", about, at, None if kind is None else str(kind))

    def agent(self, at: datetime, age: timedelta = NOTHING) -> Record:
        """A machine registered `age` before that time and last updated at it."""
        return self._made("agents", self.tenant.add_host(at - age), at)

    def alert(self, at: datetime) -> Record:
        """An alert of a custom rule, reported at that time."""
        return self._made("alerts", self.tenant.some_host(), at)

    def group(self, at: datetime, age: timedelta = NOTHING) -> Record:
        """A group last updated at that time; each site's default group comes first."""
        waiting = self._unpublished
        about = waiting.popleft() if waiting else self.tenant.add_group(at - age)
        return self._made("groups", {**about, "registered": at - age}, at)

    def threat(self, at: datetime) -> Record:
        """A threat found at that time, not mitigated yet."""
        record = self._made("threats", self.tenant.some_host(), at)
        self._threats.append(record["id"])
        return record

    def part(self, endpoint: str, name: str, at: datetime) -> Record:
        """A part of a record, of that time."""
        return self._filled(golden(endpoint), golden(endpoint).parts[name], {}, at)

    def _made(self, endpoint: str, about: Facts, at: datetime, kind: str | None = None) -> Record:
        file = golden(endpoint)
        kind = kind or self.rng.choices(file.kinds, file.weights)[0]
        return self._filled(file, file.records[kind], about, at)

    def _filled(self, file: Golden, what: Any, about: Facts, at: datetime) -> Record:
        facts = {**about, "at": at, "by": self.rng.choice(self.tenant.people)}
        record: Record = Scene(self.rng, self.tenant.next_id, facts, file).filled(what)
        return record
