"""Files that are replaced as a whole: after a crash there is the old one or the new one."""

from __future__ import annotations

import os
from pathlib import Path

from sentinelone_source.errors import StateError


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file; the new one is on disk when this returns. Raises StateError."""
    draft = path.with_name(path.name + ".new")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror}") from None
