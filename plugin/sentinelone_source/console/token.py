"""The API token: where it comes from, and whether it has changed."""

from __future__ import annotations

import os
from pathlib import Path

from sentinelone_source.config import Console
from sentinelone_source.errors import ConfigError


class Token:
    """A console's API token, read from its file again whenever that changes.

    The value is given to the session and to nobody else; `str()` says where it comes from.
    """

    def __init__(self, console: Console) -> None:
        self._file = Path(console.token_file) if console.token_file else None
        self._variable = console.token_env
        self._stamp: tuple[int, int, int] | None = None
        self._value = ""

    def __str__(self) -> str:
        return f"token file {self._file}" if self._file else f"variable {self._variable}"

    __repr__ = __str__

    def value(self) -> str:
        """The token as it is now.

        Raises:
            ConfigError: there is none, or it holds what no header can.
        """
        if self._file is None:
            self._value = os.environ.get(self._variable, "").strip()
        elif self.changed() or not self._value:
            self._stamp, self._value = self._look(), ""
            try:
                self._value = self._file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "is not text"
                raise ConfigError(f"{self}: cannot be read: {reason}") from None
        if not self._value:
            raise ConfigError(f"{self}: is empty; put the API token there")
        if not self._value.isascii() or not self._value.isprintable() or " " in self._value:
            raise ConfigError(f"{self}: holds more than one token, or characters that no token has")
        return self._value

    def changed(self) -> bool:
        """Whether the file is another than the one last read."""
        return self._file is not None and self._look() != self._stamp

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = (self._file or Path()).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
