"""Live-like API records from a seed: shapes as the API has them, every value made up."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

from sentinelone_source.demo.golden import Golden, Scene, golden, merged
from sentinelone_source.demo.tenant import Facts, Tenant
from sentinelone_source.times import parse_time

if TYPE_CHECKING:
    pass

Record = dict[str, Any]
NOTHING: Final = timedelta()


class Records:
    """Makes records of one tenant; equal seeds and times make equal records.

    Records refer to each other: a threat's agent is one that was made before.
    """

    def __init__(self, seed: int = 0) -> None:
        self.rng = Random(seed)  # noqa: S311 - repeatable, and no secret
        self.tenant = Tenant(self.rng)
        self._unpublished = deque(self.tenant.groups)
        self._threats: deque[str] = deque(maxlen=100)

    def new(
        self, endpoint: str, at: datetime, *, age: timedelta = NOTHING, kind: int | None = None
    ) -> Record:
        """A record whose position is at that time; agents and groups were made `age` before.

        `kind` is an activity's type; of any type when none is asked for.
        """
        file, about = golden(endpoint), self._about(endpoint, at - age)
        name = str(kind) if kind else self.rng.choices(file.kinds, file.weights)[0]
        record = self._filled(file, file.records[name], about, at)
        if endpoint == "threats":
            self._threats.append(record["id"])
        return record

    def updated(self, endpoint: str, what: str, old: Record, now: datetime) -> Record:
        """The next version of a record: `what` is a part of its golden file.

        It is of `now`, or just after the old one when the clock has not moved.
        """
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
