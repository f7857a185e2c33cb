"""Live-like API records from a seed: shapes as the API has them, every value made up."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from random import Random
from typing import Any

from .shapes import words
from .shapes.activities import KINDS, Scene, activity
from .shapes.agents import agent
from .shapes.alerts import alert
from .shapes.groups import group
from .shapes.tenant import Tenant
from .shapes.threats import threat

Record = dict[str, Any]


class Records:
    """Makes records of one tenant; equal seeds and times make equal records.

    Records refer to each other: a threat's agent is one that `agent` made.
    """

    def __init__(self, seed: int = 0) -> None:
        self.rng = Random(seed)  # noqa: S311 - repeatable, and no secret
        self.tenant = Tenant(self.rng)
        self._unpublished = deque(self.tenant.groups)
        self._threat_ids: deque[str] = deque(maxlen=100)

    def activity(self, at: datetime, kind: int | None = None) -> Record:
        """Something that happened at that time; of any type when none is asked for."""
        tenant, rng = self.tenant, self.rng
        host = tenant.some_host()
        kind = rng.choice(KINDS) if kind is None else kind
        threat_id = rng.choice(self._threat_ids) if self._threat_ids else tenant.next_id(at)
        return activity(Scene(tenant, kind, host, rng.choice(tenant.people), threat_id), at)

    def agent(self, at: datetime, age: timedelta = timedelta()) -> Record:
        """A machine registered `age` before that time and last updated at it."""
        return agent(self.tenant, self.tenant.add_host(at - age), at)

    def alert(self, at: datetime) -> Record:
        """An alert of a custom rule, reported at that time."""
        return alert(self.tenant, self.tenant.some_host(), at)

    def group(self, at: datetime, age: timedelta = timedelta()) -> Record:
        """A group last updated at that time; each site's default group comes first."""
        tenant = self.tenant
        if self._unpublished:
            return group(tenant, self._unpublished.popleft(), at - age, at)
        site, name = self.rng.choice(tenant.sites), self.rng.choice(words.GROUPS[1:])
        return group(tenant, tenant.add_group(at - age, site, name), at - age, at)

    def threat(self, at: datetime) -> Record:
        """A threat found at that time, not mitigated yet."""
        record = threat(self.tenant, self.tenant.some_host(), at)
        self._threat_ids.append(record["id"])
        return record
