"""What cannot be delivered, with its reason, in a file that can be replayed itself."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sentinelone_source.azure.replay.rows import refused_line
from sentinelone_source.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from sentinelone_source.azure.replay.rows import Item

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

    def add(self, items: list[tuple[Item, str]]) -> None:
        """Keep lines with their reasons, on disk when this returns.

        Raises:
            SourceError: they cannot be written.
        """
        self.count += len(items)
        if self.path is None or not items:
            return
        now = datetime.now(UTC)
        try:
            with self.path.open("ab") as file:
                file.writelines(refused_line(item, reason, now) for item, reason in items)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be written: {error.strerror}") from None
