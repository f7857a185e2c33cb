"""Secrets in files: read again whenever the file changes, and given to the one who asks."""

from __future__ import annotations

import codecs
import threading
from pathlib import Path

from sentinelone_source.errors import ConfigError, Unavailable, lacks_descriptors

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST = 1 << 16
"""Bytes; no token, key or chain of certificates has as many."""


class SecretFile:
    """A file that holds one secret and nothing else, such as a mounted Kubernetes secret.

    `str()` says where the secret comes from and what it is, as `token file`; nothing but `value`
    gives it away. Threads may share it.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._value = ""

    def __str__(self) -> str:
        return f"{self._what} {self._path}"

    __repr__ = __str__

    def value(self) -> str:
        """The secret as it is now, without white space around it.

        Raises:
            ConfigError: the file cannot be read, is empty, or begins with a byte order mark.
            Unavailable: the process has no file descriptor left to read it with.
        """
        with self._lock:
            stamp = self.stamp()
            if stamp != self._stamp or not self._value:
                self._value = ""
                self._value = self._text()
                self._stamp = stamp
            return self._value

    def stamp(self) -> tuple[int, int, int] | None:
        """What is different whenever the file is another one; None while there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _text(self) -> str:
        try:
            with self._path.open("rb") as file:
                content = file.read(_LONGEST + 1)
        except OSError as error:
            if lacks_descriptors(error):
                words = "no file descriptor is left to read it"
                raise Unavailable(f"{self}: {words}") from None
            raise ConfigError(f"{self}: cannot be read: {error.strerror}") from None
        if len(content) > _LONGEST:
            raise ConfigError(f"{self}: is longer than any secret")
        if content.startswith(_MARKS):
            raise ConfigError(f"{self}: begins with a byte order mark; save it without one")
        try:
            text = content.decode().strip()
        except UnicodeDecodeError:
            raise ConfigError(f"{self}: cannot be read: is not text") from None
        if not text:
            raise ConfigError(f"{self}: is empty")
        return text
