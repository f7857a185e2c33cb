"""The lock on a state directory: one process at a time may use it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sentinelone_source.errors import StateError, StateLocked


class Lock:
    """Locks a directory for this process; the kernel releases it when the process ends.

    Raises:
        StateLocked: another process holds it; the message has its pid.
        StateError: the directory cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{folder}: cannot be used as state: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StateLocked(f"{folder}: in use by another instance, pid {pid}") from None
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._file)
            raise StateError(f"{folder}: cannot be written: {error.strerror}") from None

    def release(self) -> None:
        """Release the lock."""
        os.close(self._file)
