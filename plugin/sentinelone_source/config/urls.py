"""The URLs of the configuration: which are accepted, in one form."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from sentinelone_source.errors import ConfigError


def read_url(text: str, where: str, example: str) -> str:
    """Scheme, host and port of a URL; without a scheme it is https, and a path is ignored.

    Args:
        text: the URL, or a host name.
        where: file, table and key.
        example: for the message.

    Raises:
        ConfigError: it is not a URL, holds a password, or is plain http to another machine.
    """
    parts = split_url(text if "://" in text else f"https://{text}")
    if parts is None:
        raise ConfigError(f"{where}: {text!r} is not a URL, such as {example}")
    if parts.username or parts.password:
        raise ConfigError(f"{where}: holds a user name or password; write the address only")
    require_https(parts, where)
    return f"{parts.scheme}://{parts.netloc}"


def require_https(parts: SplitResult, where: str) -> None:
    """Raise ConfigError for plain http to another machine."""
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigError(f"{where}: plain http is for loopback addresses only; write https://")


def split_url(text: str) -> SplitResult | None:
    """The parts of an http or https URL with a host; None for anything else."""
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if is_whole else None


def refuse_placeholder(url: str, where: str) -> None:
    """Raise ConfigError if the host is below `.invalid`, as in examples (RFC 2606)."""
    host = urlsplit(url).hostname or ""
    if f".{host.rstrip('.').lower()}".endswith(".invalid"):
        raise ConfigError(f"{where}: {url} is a placeholder; write the real address")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
