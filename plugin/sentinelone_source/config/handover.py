"""`[handover]`: where rows go, and the credentials of the shipper's listener."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from sentinelone_source.config.file import HandoverTable
from sentinelone_source.config.urls import refuse_placeholder, require_https, split_url
from sentinelone_source.errors import ConfigError
from sentinelone_source.toml import unknown

PLACES = ("console", "mapping")
"""What the braces of a tag may hold."""
_PLACE = re.compile(r"\{([^{}]*)\}")
_TAG = re.compile(r"\w+(\.\w+)*", re.ASCII)
_NOT_OF_TAGS = re.compile(r"\W", re.ASCII)


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


def check_tag(tag: str, consoles: Iterable[str], where: str) -> None:
    """Refuse a tag that shippers would change, or that mixes the rows of two consoles.

    Raises:
        ConfigError: naming the place or the consoles.
    """
    for place in _PLACE.findall(tag):
        if place not in PLACES:
            raise ConfigError(f"{where}: {unknown('place', place, PLACES)}")
    if not _TAG.fullmatch(_PLACE.sub("x", tag)):
        raise ConfigError(
            f"{where}: {tag!r}: takes letters, digits, '_', '.' between words, "
            "{console} and {mapping}"
        )
    if "{console}" not in tag:
        return
    names: dict[str, str] = {}
    for console in consoles:
        other = names.setdefault(_of_tag(console), console)
        if other != console:
            raise ConfigError(
                f"{where}: consoles {other!r} and {console!r} would both be {_of_tag(console)!r} "
                "in the tag; rename one"
            )


def render_tag(tag: str, console: str, mapping: str) -> str:
    """The tag of one console's rows of one mapping.

    Fluent Bit takes letters, digits, `_` and `.`; all others of a name become `_`, and the dot,
    which separates the words of a tag, too.
    """
    names = {"console": _of_tag(console), "mapping": _of_tag(mapping)}
    return _PLACE.sub(lambda place: names[place[1]], tag)


def _of_tag(name: str) -> str:
    return _NOT_OF_TAGS.sub("_", name)


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
