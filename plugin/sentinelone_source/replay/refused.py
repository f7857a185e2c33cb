"""What cannot be delivered, with its reason, in a file that can be replayed itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sentinelone_source.handover.dead_letters import append

if TYPE_CHECKING:
    from pathlib import Path

    from sentinelone_source.replay.parsing import ParsedLine

SUFFIX = ".refused.ndjson"


class Refused:
    """The file of refused rows; made with the first of them.

    Args:
        path: the file; None keeps nothing, and only counts.

    Attributes:
        count: how many there were.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0

    def add(self, lines: list[tuple[ParsedLine, str]]) -> None:
        """Keep lines with their reasons, on disk when this returns.

        Raises:
            StateError: they cannot be written.
        """
        self.count += len(lines)
        if self.path is not None and lines:
            append(self.path, [replace(line.letter, reason=reason) for line, reason in lines])
