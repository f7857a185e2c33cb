"""`[[consoles]]`: the URL in one form, and the token by file or variable."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from pathlib import Path

import msgspec

from sentinelone_source.config.file import ConsoleTable
from sentinelone_source.config.urls import read_url, split_url
from sentinelone_source.errors import ConfigError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


def read_consoles(
    consoles: tuple[ConsoleTable, ...], environ: Dict[str, str], where: str, here: Path
) -> tuple[ConsoleTable, ...]:
    """Check the consoles of a file; without any, the environment names one.

    Args:
        consoles: as the file has them.
        environ: the environment.
        where: the file, for errors.
        here: where relative paths start.

    Raises:
        ConfigError: naming the console and the key.
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
        token_file=str(here / console.token_file) if console.token_file else "",
        ca_file=str(here / console.ca_file) if console.ca_file else "",
    )
