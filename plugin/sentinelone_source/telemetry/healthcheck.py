"""What `health` finds out about a process from outside of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sentinelone_source.config.addresses import Address
from sentinelone_source.errors import StateError
from sentinelone_source.feed.state.files import StateSnapshot, read_snapshot

PATIENCE = 5.0
"""Seconds within which a living process answers."""


class HealthReport(NamedTuple):
    """Whether it is well, and why."""

    healthy: bool
    reason: str


def ask_process(address: Address) -> HealthReport:
    """Ask a process that listens whether its event loop turns."""
    import http.client

    connection = http.client.HTTPConnection(*address.from_here, timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        said = " ".join(answer.read(1000).decode("utf-8", "replace").split())
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return HealthReport(False, f"no answer from {address.from_here}: {reason}")
    finally:
        connection.close()
    healthy = answer.status == 200 and '"alive"' in said  # another's 200 is not ours
    return HealthReport(healthy, f"{address.from_here} answers {answer.status}: {said[:200]}")


def check_state(folder: Path, matters: Callable[[str, str], bool], max_age: float) -> HealthReport:
    """Look at a state for sweeps that came to their end.

    Args:
        folder: of the state.
        matters: whether a feed does, by its console and mapping.
        max_age: seconds ago that a feed's last sweep may have begun.
    """
    try:
        seen = read_snapshot(folder)
    except StateError as error:
        return HealthReport(False, str(error))
    seen = seen._replace(swept={feed: at for feed, at in seen.swept.items() if matters(*feed)})
    return judge(seen, max_age, time.time())


def judge(seen: StateSnapshot, max_age: float, now: float) -> HealthReport:
    """What a state means. A process that has just begun is given `max_age` like any other.

    A feed's first sweep may take hours: until it has ended, something has to be settled instead.
    """
    if not seen.swept:
        return HealthReport(False, "the state has no feed of this configuration")
    for (console, mapping), swept in seen.swept.items():
        last = seen.written if swept is None else swept
        age = now - max(last, seen.started)
        if age > max_age:
            what = "swept" if swept is not None else "settled anything in its first sweep"
            said = f"{console}/{mapping}: last {what} {now - last:.0f} s ago"
            return HealthReport(False, f"{said}; {max_age:.0f} s are allowed")
    number = len(seen.swept)
    feeds = f"{number} feeds, each" if number > 1 else "1 feed,"
    return HealthReport(True, f"{feeds} swept or begun within {max_age:.0f} s")
