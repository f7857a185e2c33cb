"""Checks of `[[consoles]]` and `[handover]`: what their keys take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from pathlib import Path

import msgspec

from sentinelone_source.config.addresses import (
    read_url,
    refuse_placeholder,
    require_https,
    split_url,
)
from sentinelone_source.config.defaults import ConsoleTable, HandoverTable
from sentinelone_source.errors import ConfigError
from sentinelone_source.toml import unknown

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_PLACES = ("console", "mapping")
"""What the braces of a tag may hold."""
_PLACE = re.compile(r"\{([^{}]*)\}")
_TAG = re.compile(r"\w+(\.\w+)*", re.ASCII)
_NOT_OF_TAGS = re.compile(r"\W", re.ASCII)


def read_consoles(
    consoles: tuple[ConsoleTable, ...], environ: Dict[str, str], where: str, here: Path
) -> tuple[ConsoleTable, ...]:
    """Check the consoles of a file; without any, the environment names one.

    Relative paths start `here`.
    """
    if not consoles and environ.get("SENTINELONE_URL"):
        token = environ.get("SENTINELONE_TOKEN_FILE", "")
        named = "" if token else "SENTINELONE_TOKEN"
        consoles = (ConsoleTable("default", environ["SENTINELONE_URL"], token, named),)
        where, here = "environment", Path()
    names: set[str] = set()
    for console in consoles:
        place = f"{where}: consoles.{console.name}"
        if console.name in names or not console.name:
            raise ConfigError(f"{place}: name: every console needs a unique name")
        names.add(console.name)
        if bool(console.token_file) == bool(console.token_env):
            raise ConfigError(f"{place}: give either token_file or token_env")
        _refuse_token(console, place)
    return tuple(_normal_console(console, where, here) for console in consoles)


def _refuse_token(console: ConsoleTable, place: str) -> None:
    """Refuse a token that was written in place of its file or variable, without repeating it."""
    if console.token_env and not _VARIABLE.fullmatch(console.token_env):
        raise ConfigError(f"{place}: token_env: takes the name of a variable, not the token itself")
    if len(console.token_file) > 40 and "/" not in console.token_file:
        raise ConfigError(f"{place}: token_file: takes the path of a file, not the token itself")


def _normal_console(console: ConsoleTable, where: str, here: Path) -> ConsoleTable:
    place = f"{where}: consoles.{console.name}"
    if console.proxy and not split_url(console.proxy):
        raise ConfigError(
            f"{place}: proxy: takes an http:// or https:// URL; "
            "other kinds, such as SOCKS, are not supported"
        )
    return msgspec.structs.replace(
        console,
        url=read_url(console.url, f"{place}: url", "https://console.example.invalid"),
        **_files(console, here, "token_file", "ca_file"),
    )


def _files(table: ConsoleTable | HandoverTable, here: Path, *keys: str) -> dict[str, str]:
    """Files that a table names, found from where the configuration is."""
    return {key: str(here / path) for key in keys if (path := getattr(table, key))}


def read_handover(handover: HandoverTable, to: str, where: str, here: Path) -> HandoverTable:
    """Check the credentials."""
    if handover.token_file and (handover.username or handover.password_file):
        raise ConfigError(
            f"{where}: handover: give either token_file, or username and password_file"
        )
    if bool(handover.username) != bool(handover.password_file):
        raise ConfigError(f"{where}: handover: username and password_file must be given together")
    files = _files(handover, here, "token_file", "password_file", "ca_file")
    return msgspec.structs.replace(handover, to=to, **files)


def check_tag(tag: str, consoles: Iterable[str], where: str) -> None:
    """Refuse a tag that shippers would change, or that mixes the rows of two consoles."""
    for place in _PLACE.findall(tag):
        if place not in _PLACES:
            raise ConfigError(f"{where}: {unknown('placeholder', place, _PLACES)}")
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
    """Refuse a `to` that is neither `stdout` nor a URL that a tag can be put behind."""
    if to == "stdout":
        return
    parts = split_url(to)
    if parts is None:
        shown = "the value" if "@" in to else repr(to)  # a password may precede the @
        raise ConfigError(
            f"{where}: {shown} is neither 'stdout' nor a URL, such as http://127.0.0.1:8687/"
        )
    if parts.username or parts.password:
        raise ConfigError(f"{where}: holds a password; use username and password_file")
    if parts.query or parts.fragment:
        raise ConfigError(f"{where}: {to!r}: must end with the path, without ? and #")
    require_https(parts, where)
    refuse_placeholder(to, where)
