"""`[handover]`: where rows go, and the credentials of the shipper's listener."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sentinelone_source.config.file import HandoverTable
from sentinelone_source.config.urls import refuse_placeholder, require_https, split_url
from sentinelone_source.errors import ConfigError


def read_handover(handover: HandoverTable, where: str, here: Path) -> HandoverTable:
    """Check the table, but for `to`; files are found from where the configuration is.

    Raises:
        ConfigError: naming the key.
    """
    if handover.token_file and (handover.username or handover.password_file):
        raise ConfigError(
            f"{where}: handover: give either token_file, or username and password_file"
        )
    if bool(handover.username) != bool(handover.password_file):
        raise ConfigError(f"{where}: handover: username and password_file must be given together")
    files = {
        name: str(here / path)
        for name in ("token_file", "password_file", "ca_file")
        if (path := getattr(handover, name))
    }
    return msgspec.structs.replace(handover, **files)


def check_destination(to: str, where: str) -> None:
    """Refuse what rows cannot be handed over to.

    Raises:
        ConfigError: `to` is neither `stdout` nor a URL that a tag can be put behind.
    """
    if to == "stdout":
        return
    parts = split_url(to)
    if parts is None:
        raise ConfigError(
            f"{where}: {_shown(to)} is neither 'stdout' nor a URL, such as http://127.0.0.1:8687/"
        )
    if parts.username or parts.password:
        raise ConfigError(f"{where}: holds a password; use username and password_file")
    if parts.query or parts.fragment:
        raise ConfigError(f"{where}: {to!r}: must end with the path, without ? and #")
    require_https(parts, where)
    refuse_placeholder(to, where)


def _shown(to: str) -> str:
    return "the value" if "@" in to else repr(to)
