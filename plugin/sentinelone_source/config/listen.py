"""An address to listen on: a host and a port in one text."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from sentinelone_source.errors import ConfigError

_TEXT = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^\[\]:/@\s]+)):(?P<port>[0-9]{1,5})")


class Address(NamedTuple):
    """A host and a port.

    Attributes:
        host: a name or an address, IPv6 without its brackets.
        port: 0 for any that is free.
    """

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
    """`"0.0.0.0:9464"` or `"[::]:9464"` as an address; None for an empty text.

    Raises:
        ConfigError: it is neither; naming where it stands.
    """
    if not text:
        return None
    found = _TEXT.fullmatch(text)
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
