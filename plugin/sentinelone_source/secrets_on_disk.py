"""Secrets in files: read again whenever the file changes, and given to the one who asks."""

from __future__ import annotations

from pathlib import Path

from sentinelone_source.errors import ConfigError


class SecretFile:
    """A file that holds one secret and nothing else, such as a mounted Kubernetes secret.

    `str()` says where the secret comes from; nothing but `value` gives it away.

    Args:
        path: the file.
        what: what it holds, for errors: `token file`.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._stamp: tuple[int, int, int] | None = None
        self._value = ""

    def __str__(self) -> str:
        return f"{self._what} {self._path}"

    __repr__ = __str__

    def value(self) -> str:
        """The secret as it is now, without white space around it.

        Raises:
            ConfigError: the file cannot be read, or is empty.
        """
        if self.changed() or not self._value:
            self._stamp, self._value = self._look(), ""
            try:
                self._value = self._path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "is not text"
                raise ConfigError(f"{self}: cannot be read: {reason}") from None
        if not self._value:
            raise ConfigError(f"{self}: is empty")
        return self._value

    def changed(self) -> bool:
        """Whether the file is another than the one last read."""
        return self._look() != self._stamp

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
