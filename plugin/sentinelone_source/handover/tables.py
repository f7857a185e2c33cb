"""What a shipper takes and refuses, table by table: tells a bad line from a shipper in trouble."""

from __future__ import annotations

import hashlib
import re
import time

import structlog

from sentinelone_source.handover.sink import Sink

_MOST_DOUBTS = 1000
"""Refused lines that are remembered; one that is forgotten needs another witness."""
_TABLE = re.compile(rb'"_table":"(\w+)"')

_log = structlog.get_logger()


class TableState:
    """The rows of one mapping with one tag: from all consoles, or from one.

    A refused line is at fault only if another line of its table, the witness, is taken after it was
    refused, and it is refused again. Anything else may be the shipper: a full disk, no token.

    While nothing of the table is taken, `sink.refused` has its tag and mapping.
    """

    def __init__(self, tag: str, mapping: str, sink: Sink) -> None:
        self.tag = tag
        self.mapping = mapping
        self._name = (tag, mapping)
        self.taken = 0
        self._waiting = sink.refused
        self._again = sink.timings.handover_again
        self._doubts: dict[bytes, int] = {}
        self._said = 0.0

    def took(self) -> None:
        """A batch was taken."""
        self.taken += 1
        if self._name in self._waiting:
            self._waiting.remove(self._name)
            _log.info("table_accepted", feed=self.mapping)

    def at_fault(self, line: bytes) -> bool:
        """Whether a line that was refused just now is at fault: its witness was taken before."""
        if self.has_witness(line):
            del self._doubts[_digest(line)]
            return True
        self._doubts.setdefault(_digest(line), self.taken)
        if len(self._doubts) > _MOST_DOUBTS:
            del self._doubts[next(iter(self._doubts))]
        return False

    def has_witness(self, line: bytes) -> bool:
        """Whether another line was taken since this one was refused."""
        return self._doubts.get(_digest(line), self.taken) < self.taken

    def wait(self, line: bytes, reason: str) -> None:
        """A line was refused and has no witness: say so, once a minute at most."""
        now = time.monotonic()
        if self._name in self._waiting and now - self._said < self._again:
            return
        self._said = now
        self._waiting.add(self._name)
        found = _TABLE.search(line)
        table = found[1].decode() if found else ""
        _log.warning("table_refused", feed=self.mapping, table=table, error=reason)


def _digest(line: bytes) -> bytes:
    return hashlib.sha256(line).digest()
