"""URLs that requests go to, and addresses to listen on: which are accepted, in one form."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from sentinelone_source.errors import ConfigError

_LISTEN = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^\[\]:/@\s]+)):(?P<port>[0-9]{1,5})")

_NOT_OF_HOSTS = re.compile(r"[\s\\]")


def read_url(text: str, where: str, example: str) -> str:
    """Scheme, host and port of a URL; without a scheme it is https, and a path is ignored.

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
        host = parts.hostname or ""
        host.encode("idna")  # raises for an empty label, and for one that is too long
        is_whole = parts.scheme in ("http", "https") and host and parts.port != 0
    except ValueError:
        return None
    return parts if is_whole and not _NOT_OF_HOSTS.search(host) else None


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


class Address(NamedTuple):
    """A host, IPv6 without its brackets, and a port; 0 for any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def from_here(self) -> Address:
        """The address at which this machine reaches it."""
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return self
        if not address.is_unspecified:
            return self
        return Address("127.0.0.1" if address.version == 4 else "::1", self.port)


def read_address(text: str, where: str) -> Address | None:
    """`"0.0.0.0:9464"` or `"[::]:9464"` as an address; None for an empty text."""
    if not text:
        return None
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > 65_535 or not _is_host(found["six"]):
        raise ConfigError(
            f"{where}: {text!r}: takes an address and a port up to 65535, "
            "such as '127.0.0.1:9464' or '[::]:9464'; empty for none"
        )
    return Address(found["six"] or found["host"], int(found["port"]))


def _is_host(six: str | None) -> bool:
    """Whether what stood in brackets, if anything did, is an IPv6 address."""
    try:
        return six is None or ipaddress.ip_address(six).version == 6
    except ValueError:
        return False
