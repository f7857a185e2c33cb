"""`[[consoles]]`: addresses in one form, and tokens where they belong."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping as Dict
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec

from sentinelone_source.config.file import Console
from sentinelone_source.errors import ConfigError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


def read_consoles(
    consoles: tuple[Console, ...], environ: Dict[str, str], where: str, here: Path
) -> tuple[Console, ...]:
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
        consoles = (Console("default", environ["SENTINELONE_URL"], token, named),)
        where, here = "environment", Path()
    names: set[str] = set()
    for console in consoles:
        place = f"{where}: consoles.{console.name}"
        if console.name in names or not console.name:
            raise ConfigError(f"{place}: name: every console needs a name of its own")
        names.add(console.name)
        if bool(console.token_file) == bool(console.token_env):
            raise ConfigError(f"{place}: give either token_file or token_env")
        _refuse_token(console, place)
    return tuple(_normal_console(console, where, here) for console in consoles)


def _refuse_token(console: Console, place: str) -> None:
    """Catch a token that was written where its place belongs, without repeating it."""
    if console.token_env and not _VARIABLE.fullmatch(console.token_env):
        raise ConfigError(f"{place}: token_env: takes the name of a variable, not the token itself")
    if len(console.token_file) > 40 and "/" not in console.token_file:
        raise ConfigError(f"{place}: token_file: takes the path of a file, not the token itself")


def _normal_console(console: Console, where: str, here: Path) -> Console:
    place = f"{where}: consoles.{console.name}: url"
    parts = split_url(console.url if "://" in console.url else f"https://{console.url}")
    if parts is None:
        raise ConfigError(f"{place}: {console.url!r} is no URL; as https://console.example.invalid")
    if parts.username or parts.password:
        raise ConfigError(f"{place}: holds a user name or password; only the address is wanted")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigError(f"{place}: plain http is for loopback addresses only; write https://")
    if console.proxy and not split_url(console.proxy):
        raise ConfigError(
            f"{where}: consoles.{console.name}: proxy: takes an http:// or https:// URL; "
            "other kinds, such as SOCKS, are not supported"
        )
    return msgspec.structs.replace(
        console,
        url=f"{parts.scheme}://{parts.netloc}",
        token_file=str(here / console.token_file) if console.token_file else "",
        ca_file=str(here / console.ca_file) if console.ca_file else "",
    )


def split_url(text: str) -> SplitResult | None:
    """The parts of an http or https URL with a host; None if it is no such thing."""
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if is_whole else None


def is_placeholder(host: str) -> bool:
    """Whether a host is below `.invalid`, where no host will ever be (RFC 2606)."""
    return f".{host.rstrip('.').lower()}".endswith(".invalid")


def refuse_placeholder(url: str, place: str) -> None:
    """Raise ConfigError if the host of a URL still is an example's."""
    if is_placeholder(urlsplit(url).hostname or ""):
        raise ConfigError(f"{place}: {url} is a placeholder; write the real address")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
