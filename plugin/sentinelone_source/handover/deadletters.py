"""Records that cannot become rows: kept beside the state, with the reason."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sentinelone_source.errors import StateError

FILE = "dead-letters.ndjson"

# Members whose text is a secret: registration tokens, licence keys, uninstall passphrases.
_SECRET = re.compile(
    rb'("[A-Za-z_]*(?:token|licen[cs]e_?key|passphrase|password|secret|api_?key)"\s*:\s*)'
    rb'"(?:[^"\\]|\\.)*"',
    re.IGNORECASE,
)
_REDACTED = rb'\1"[redacted]"'


class DeadLetters:
    """The file of a state directory; appended to, and never read by us.

    One JSON object a line: `time`, `console`, `table`, `reason`, `record`. The record is as the
    API sent it, less its secrets; one that no JSON reader goes through is kept as text.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def add(self, console: str, table: str, reason: str, raw: bytes) -> None:
        """Keep one record, on disk when this returns.

        Raises:
            StateError: it cannot be written.
        """
        line = msgspec.json.encode(
            {
                "time": datetime.now(UTC),
                "console": console,
                "table": table,
                "reason": reason,
                "record": _record(_SECRET.sub(_REDACTED, raw)),
            }
        )
        try:
            with self.path.open("ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StateError(f"{self.path}: cannot be written: {error.strerror}") from None


def _record(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return raw.decode("utf-8", "replace")
