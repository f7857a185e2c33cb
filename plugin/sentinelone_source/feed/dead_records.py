"""What can never be delivered, on its way to the dead letters: each record once."""

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
"""How long a dead letter is remembered at least after it was seen last."""


class DeadRecords:
    """Writes the dead letters of one feed.

    Args:
        console: its name.
        mapping: of the feed.
        context: with the state, and the file.
        number: of the feed in the state.
        remember: microseconds that a record may be read again after it was seen last.
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
        """Write in a thread, all at once.

        A record is written once however often it comes; gives how many are new.
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
