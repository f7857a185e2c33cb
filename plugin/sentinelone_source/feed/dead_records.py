"""Writes records that can never be delivered to the dead letters, each record once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from msgspec import Raw
from msgspec.structs import replace

from sentinelone_source.feed.settlement import FeedContext
from sentinelone_source.handover.dead_letters import DeadLetter, record_json
from sentinelone_source.handover.sink import Refusal
from sentinelone_source.mapping.page import Dead
from sentinelone_source.mapping.redaction import Redactor
from sentinelone_source.mapping.spec.model import Mapping
from sentinelone_source.times import SECOND
from sentinelone_source.worker_threads import in_thread

_KEPT = 86_400 * SECOND
"""The shortest time that a dead letter is remembered after it was last seen; microseconds."""


class DeadRecords:
    """Writes the dead letters of one feed.

    Args:
        console: the name of the console.
        mapping: the mapping of the feed.
        context: has the state and the file of dead letters.
        number: the feed's number in the state.
        remember: how long after it was last seen a record can be read again; microseconds.
    """

    def __init__(
        self, console: str, mapping: Mapping, context: FeedContext, number: int, remember: int
    ) -> None:
        self._letter = DeadLetter(console=console, table=mapping.table)
        self._redactor = Redactor(mapping)
        self._context = context
        self._number = number
        self._kept = max(_KEPT, remember)

    async def write(self, dead: list[Dead], refused: list[Refusal], now: int) -> int:
        """Write the dead letters of a page, in a thread; a record is written only once.

        Args:
            dead: records that cannot become rows.
            refused: rows that the shipper refuses for good.
            now: our clock, microseconds.

        Returns:
            How many of `dead` are new.

        Raises:
            StateError: the file or the state cannot be written.
        """
        state = self._context.state
        by_key = {_key(one): one for one in dead}
        known = state.dead(self._number, by_key)
        new = [one for key, one in by_key.items() if key not in known]
        if new or refused:
            async with self._context.writing_dead:
                await in_thread(self._context.dead_letters.write, self._letters(new, refused))
        if by_key:
            state.remember_dead(self._number, by_key, now, now - self._kept)
        return len(new)

    def _letters(self, dead: list[Dead], refused: list[Refusal]) -> Iterator[DeadLetter]:
        for one in dead:
            record = record_json(self._redactor.redact(one.raw))
            yield replace(self._letter, reason=one.reason, record=record)
        for line, reason, _ in refused:
            yield replace(self._letter, reason=reason, row=Raw(line.strip()))


def _key(dead: Dead) -> str:
    return f"id:{dead.id}" if dead.id else f"sha256:{hashlib.sha256(dead.raw).hexdigest()}"
