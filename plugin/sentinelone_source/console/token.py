"""The API token: where it comes from, and whether it has changed."""

from __future__ import annotations

import os
from pathlib import Path

from sentinelone_source.config import ConsoleTable
from sentinelone_source.errors import ConfigError
from sentinelone_source.secret_file import SecretFile


class ApiToken:
    """A console's API token, read from its file again whenever that changes.

    The value is given to the session and to nobody else; `str()` says where it comes from.
    """

    def __init__(self, console: ConsoleTable) -> None:
        path = console.token_file
        self._file = SecretFile(Path(path), "token file") if path else None
        self._variable = console.token_env

    def __str__(self) -> str:
        return str(self._file or f"variable {self._variable}")

    __repr__ = __str__

    def value(self) -> str:
        """The token as it is now.

        Raises:
            ConfigError: there is none, or it holds what no header can.
            Unavailable: the process has no file descriptor left to read its file with.
        """
        token = self._file.value() if self._file else os.environ.get(self._variable, "").strip()
        if not token:
            raise ConfigError(f"{self}: is empty; put the API token there")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigError(f"{self}: holds more than one token, or characters that no token has")
        return token

    def stamp(self) -> object:
        """What is different whenever the token's file is another one."""
        return self._file and self._file.stamp()
